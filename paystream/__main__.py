"""`python -m paystream COMMAND …`."""

from paystream.main import main

main()
