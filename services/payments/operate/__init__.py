"""What operators of payments may ask and do. Writes are the same commands that everyone sends."""

from services.payments.operate import payment, privacy, risk, webhook
from services.payments.operate.desk import kit
from services.payments.operate.doctor import examine

commands = {
    "payment": payment.commands,
    "webhook": webhook.commands,
    "risk": risk.commands,
    "privacy": privacy.commands,
}

__all__ = ["commands", "examine", "kit"]
