"""The api's own settings."""

from pydantic import Field

from shared.network.addresses import AddressPolicy
from shared.service.settings import ServiceSettings
from shared.store.address import addresses_of


class DeliverySettings(ServiceSettings):
    """Where events may be delivered to, besides what every service has."""

    deliver_private: bool = Field(
        default=False, description="whether webhooks may lead to private networks and this machine"
    )

    @property
    def receivers(self) -> AddressPolicy:
        """Where they may lead; this system's own Redis is no such place."""
        own = tuple(f"{host}:{port}" for host, port in addresses_of(self.redis_url.get_secret_value()))
        return AddressPolicy(own, private=self.deliver_private)


class ApiSettings(DeliverySettings):
    """Where the api listens, besides that."""

    api_host: str = Field(default="127.0.0.1", description="where it listens")
    api_port: int = Field(default=8000, ge=0, le=65535, description="0: any free port")
