select
    product,
    price_cents::integer as price_cents
from {{ ref('raw_products') }}
