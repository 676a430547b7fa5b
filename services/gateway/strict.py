"""Request bodies for Litestar, decoded by `inputs.read_json` instead of Litestar's lenient decoder."""

from collections.abc import Generator
from typing import Any, ClassVar

import msgspec
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.typing import FieldDefinition

from services.gateway.inputs import check_content_type, read_json
from shared.errors import Malformed, Rejected


class StrictBody(AbstractDTO[Any]):
    """The body as the given type, or an error of the published table."""

    body: ClassVar[type[msgspec.Struct]]
    decoder: ClassVar[msgspec.json.Decoder[Any]]
    wrong_shape: ClassVar[str | None]

    def decode_bytes(self, value: bytes) -> Any:
        headers = self.asgi_connection.headers
        check_content_type(headers.get("content-type", ""))
        try:
            return read_json(value, self.decoder)
        except Rejected as error:
            if self.wrong_shape is None:
                raise
            raise Malformed(self.wrong_shape, error.detail) from None

    # What follows tells Litestar that there is no model to transform.

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:  # noqa: ARG003 - Litestar's signature
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:  # noqa: ARG003 - Litestar's signature
        return False

    @classmethod
    def is_supported_model_type_field(cls, field_definition: FieldDefinition) -> bool:  # noqa: ARG003 - Litestar's signature
        return False  # answers are encoded as they are

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        pass


def strict(body: type[msgspec.Struct], wrong_shape: str | None = None) -> type[StrictBody]:
    """A strict body of this type. `wrong_shape`: the code that any wrong value gets instead of its own."""
    members = {"body": body, "decoder": msgspec.json.Decoder(body), "wrong_shape": wrong_shape}
    return type(f"Strict{body.__name__}", (StrictBody,), members)
