"""The gateway: HTTP in front, Kafka behind. It decides nothing about money."""
