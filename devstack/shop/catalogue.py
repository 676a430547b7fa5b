"""What the shop sells, and to whom. Prices live here, on the server: in paise with GST, abroad in cents."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Market:
    """Where a buyer is. Exports carry no GST."""

    currency: str
    locale: str
    delivery_price: int
    delivery_free_from: int
    taxed: bool


INDIA = Market(currency="INR", locale="en-IN", delivery_price=90_00, delivery_free_from=1_500_00, taxed=True)
EUROPE = Market(currency="EUR", locale="en-IE", delivery_price=9_00, delivery_free_from=120_00, taxed=False)
MARKETS = {market.currency: market for market in (INDIA, EUROPE)}


@dataclass(frozen=True, kw_only=True)
class Product:
    """One thing on the shelf. `tax_rate`: the GST that the price in India holds, in percent."""

    slug: str
    name: str
    maker: str
    line: str
    story: str
    price: int
    price_abroad: int
    tax_rate: int

    def price_in(self, market: Market) -> int:
        return self.price if market is INDIA else self.price_abroad

    @property
    def image(self) -> str:
        return f"/static/art/{self.slug}.svg"


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
        price_abroad=46_00,
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
        price_abroad=15_00,
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
        price_abroad=36_00,
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
        price_abroad=59_00,
        tax_rate=12,
    ),
    Product(
        slug="tea",
        name="Nilgiri frost tea",
        maker="Picked at Coonoor",
        line="Loose leaf, 100 g tin",
        story=("Plucked in the few cold weeks of January, when the bushes sleep and the leaf turns sweet."),
        price=540_00,
        price_abroad=11_50,
        tax_rate=5,
    ),
    Product(
        slug="runner",
        name="Block-print runner",
        maker="Printed in Bagru",
        line="Cotton, natural indigo, 180 cm",
        story=("Four passes of carved teak, one vat of indigo, two days of sun. It softens with each wash."),
        price=1_350_00,
        price_abroad=26_00,
        tax_rate=5,
    ),
    Product(
        slug="board",
        name="Mango-wood board",
        maker="Turned in Saharanpur",
        line="Oiled, with a cotton loop, 38 cm",
        story=("Cut from trees past their fruiting years. The grain is the only decoration."),
        price=1_120_00,
        price_abroad=22_00,
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
        price_abroad=14_00,
        tax_rate=18,
    ),
)
PRODUCTS = {product.slug: product for product in _PRODUCTS}
