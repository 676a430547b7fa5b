from tests.integration.gateway.system import http, own_engines, running, shop, system

__all__ = ["http", "own_engines", "running", "shop", "system"]
