"""What documents and mails say, per language. Every other language reads English."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """The fixed texts. Those with {fields} are filled by `str.format` with plain texts."""

    receipt: str
    invoice: str
    date: str
    order: str
    paid_with: str
    reference: str
    billed_to: str
    tax_id: str
    item: str
    quantity: str
    unit_price: str
    tax: str
    line_total: str
    before_tax: str
    tax_of: str
    adjustment: str
    total: str
    paid: str
    paid_on: str
    page: str
    subject: str
    greeting: str
    greeting_unnamed: str
    intro: str
    attached: str
    open_pdf: str
    questions: str
    automatic: str


ENGLISH = Words(
    receipt="Receipt",
    invoice="Invoice",
    date="Date",
    order="Order",
    paid_with="Paid with",
    reference="Payment reference",
    billed_to="Billed to",
    tax_id="Tax ID",
    item="Item",
    quantity="Qty",
    unit_price="Unit price",
    tax="Tax",
    line_total="Amount",
    before_tax="Net amount",
    tax_of="Tax {rate}",
    adjustment="Adjustment",
    total="Total",
    paid="Paid",
    paid_on="Paid on {date}",
    page="Page {page} of {pages}",
    subject="Your {title} from {shop}: {total} ({number})",
    greeting="Hello {name},",
    greeting_unnamed="Hello,",
    intro="Thank you for your order. We have received your payment of {total}.",
    attached="Your {title} is attached as a PDF.",
    open_pdf="Open the PDF",
    questions="Questions? Write to {email}.",
    automatic="This mail was sent because order {order} was paid at {shop}.",
)

GERMAN = Words(
    receipt="Beleg",
    invoice="Rechnung",
    date="Datum",
    order="Bestellung",
    paid_with="Bezahlt mit",
    reference="Zahlungsreferenz",
    billed_to="Rechnung an",
    tax_id="USt-IdNr.",
    item="Artikel",
    quantity="Menge",
    unit_price="Einzelpreis",
    tax="Steuer",
    line_total="Betrag",
    before_tax="Nettobetrag",
    tax_of="Steuer {rate}",
    adjustment="Ausgleich",
    total="Gesamt",
    paid="Bezahlt",
    paid_on="Bezahlt am {date}",
    page="Seite {page} von {pages}",
    subject="{title} von {shop}: {total} ({number})",
    greeting="Guten Tag {name},",
    greeting_unnamed="Guten Tag,",
    intro="vielen Dank für Ihre Bestellung. Ihre Zahlung über {total} ist bei uns eingegangen.",
    attached="Das Dokument ({title}) liegt dieser Mail als PDF bei.",
    open_pdf="PDF öffnen",
    questions="Fragen? Schreiben Sie an {email}.",
    automatic="Sie erhalten diese Mail, weil die Bestellung {order} bei {shop} bezahlt wurde.",
)

FRENCH = Words(
    receipt="Reçu",
    invoice="Facture",
    date="Date",
    order="Commande",
    paid_with="Payé avec",
    reference="Référence du paiement",
    billed_to="Facturé à",
    tax_id="N° de TVA",
    item="Article",
    quantity="Qté",
    unit_price="Prix unitaire",
    tax="Taxe",
    line_total="Montant",
    before_tax="Montant net",
    tax_of="Taxe {rate}",
    adjustment="Ajustement",
    total="Total",
    paid="Payé",
    paid_on="Payé le {date}",
    page="Page {page} sur {pages}",
    subject="{title} de {shop} : {total} ({number})",
    greeting="Bonjour {name},",
    greeting_unnamed="Bonjour,",
    intro="Merci pour votre commande. Nous avons bien reçu votre paiement de {total}.",
    attached="Vous trouverez le document ({title}) en pièce jointe, au format PDF.",
    open_pdf="Ouvrir le PDF",
    questions="Une question ? Écrivez à {email}.",
    automatic="Ce message vous est envoyé car la commande {order} a été payée chez {shop}.",
)

SPANISH = Words(
    receipt="Recibo",
    invoice="Factura",
    date="Fecha",
    order="Pedido",
    paid_with="Pagado con",
    reference="Referencia del pago",
    billed_to="Facturado a",
    tax_id="NIF",
    item="Artículo",
    quantity="Cant.",
    unit_price="Precio unitario",
    tax="Impuesto",
    line_total="Importe",
    before_tax="Importe neto",
    tax_of="Impuesto {rate}",
    adjustment="Ajuste",
    total="Total",
    paid="Pagado",
    paid_on="Pagado el {date}",
    page="Página {page} de {pages}",
    subject="{title} de {shop}: {total} ({number})",
    greeting="Hola, {name}:",
    greeting_unnamed="Hola:",
    intro="Gracias por su pedido. Hemos recibido su pago de {total}.",
    attached="El documento ({title}) va adjunto en PDF.",
    open_pdf="Abrir el PDF",
    questions="¿Preguntas? Escriba a {email}.",
    automatic="Recibe este mensaje porque se pagó el pedido {order} en {shop}.",
)

HINDI = Words(
    receipt="रसीद",
    invoice="बीजक",
    date="तारीख",
    order="ऑर्डर",
    paid_with="भुगतान का माध्यम",
    reference="भुगतान संदर्भ",
    billed_to="बिल प्राप्तकर्ता",
    tax_id="कर पहचान संख्या",
    item="वस्तु",
    quantity="मात्रा",
    unit_price="इकाई मूल्य",
    tax="कर",
    line_total="राशि",
    before_tax="कर से पहले",
    tax_of="कर {rate}",
    adjustment="समायोजन",
    total="कुल",
    paid="भुगतान हुआ",
    paid_on="भुगतान: {date}",
    page="पृष्ठ {page} / {pages}",
    subject="{shop} से आपकी {title}: {total} ({number})",
    greeting="नमस्ते {name},",
    greeting_unnamed="नमस्ते,",
    intro="आपके ऑर्डर के लिए धन्यवाद। हमें आपका {total} का भुगतान मिल गया है।",
    attached="{title} इस मेल के साथ PDF में संलग्न है।",
    open_pdf="PDF खोलें",
    questions="कोई प्रश्न? {email} पर लिखें।",
    automatic="यह मेल इसलिए भेजा गया है क्योंकि {shop} पर ऑर्डर {order} का भुगतान हुआ।",
)

LANGUAGES = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH, "hi": HINDI}
