from tests.integration.gateway.system import http, running, shop, system

__all__ = ["http", "running", "shop", "system"]
