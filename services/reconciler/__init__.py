"""The reconciler: compares our books with the providers' and publishes what does not match."""
