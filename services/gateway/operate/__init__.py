"""What operators may ask of the gateway, from a command line."""

from services.gateway.operate.desk import kit
from services.gateway.operate.doctor import examine

__all__ = ["examine", "kit"]
