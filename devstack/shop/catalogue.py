"""What the shop sells. Prices live here, on the server, in paise with GST included."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Product:
    """One thing on the shelf. `tax_rate`: the GST that the price holds, in percent."""

    slug: str
    name: str
    maker: str
    line: str
    story: str
    price: int
    tax_rate: int

    @property
    def image(self) -> str:
        return f"/static/art/{self.slug}.svg"


CURRENCY = "INR"
DELIVERY_PRICE = 90_00
DELIVERY_FREE_FROM = 1_500_00
QUANTITY_MAX = 12

_PRODUCTS = (
    Product(
        slug="teapot",
        name="Kulhad teapot",
        maker="Thrown in Khurja",
        line="Terracotta, cane handle, 900 ml",
        story=(
            "Red clay from the Yamuna's banks, thrown thin and fired slowly, so that it holds heat "
            "the way a kulhad does. The cane handle stays cool."
        ),
        price=2_450_00,
        tax_rate=12,
    ),
    Product(
        slug="tumbler",
        name="Rain-glaze tumbler",
        maker="Glazed in Auroville",
        line="Stoneware, 280 ml",
        story=(
            "A grey-blue ash glaze that runs where it likes: no two tumblers meet their bare foot on "
            "the same line."
        ),
        price=780_00,
        tax_rate=12,
    ),
    Product(
        slug="bowls",
        name="Nesting bowls",
        maker="Thrown in Khurja",
        line="Set of three: ochre, moss, salt",
        story=(
            "For dal, for curd, for the pickle that needs its own bowl. They nest, and go into the "
            "dishwasher."
        ),
        price=1_890_00,
        tax_rate=12,
    ),
    Product(
        slug="vase",
        name="Tall slip vase",
        maker="Painted in Jaipur",
        line="White slip, indigo band, 34 cm",
        story=(
            "Three branches are enough. The indigo band is painted freehand on raw slip, in one turn "
            "of the wheel."
        ),
        price=3_200_00,
        tax_rate=12,
    ),
    Product(
        slug="tea",
        name="Nilgiri frost tea",
        maker="Picked at Coonoor",
        line="Loose leaf, 100 g tin",
        story=("Plucked in the few cold weeks of January, when the bushes sleep and the leaf turns sweet."),
        price=540_00,
        tax_rate=5,
    ),
    Product(
        slug="runner",
        name="Block-print runner",
        maker="Printed in Bagru",
        line="Cotton, natural indigo, 180 cm",
        story=("Four passes of carved teak, one vat of indigo, two days of sun. It softens with each wash."),
        price=1_350_00,
        tax_rate=5,
    ),
    Product(
        slug="board",
        name="Mango-wood board",
        maker="Turned in Saharanpur",
        line="Oiled, with a cotton loop, 38 cm",
        story=("Cut from trees past their fruiting years. The grain is the only decoration."),
        price=1_120_00,
        tax_rate=12,
    ),
    Product(
        slug="candle",
        name="Vetiver candle",
        maker="Poured in Kannauj",
        line="Soy wax, about 40 hours",
        story=(
            "The smell of the first rain on dry ground, distilled by the people who have done so for "
            "400 years."
        ),
        price=690_00,
        tax_rate=18,
    ),
)
PRODUCTS = {product.slug: product for product in _PRODUCTS}
