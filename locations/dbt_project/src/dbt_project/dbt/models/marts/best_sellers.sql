select
    product,
    sum(sold) as sold,
    sum(sold * price_cents) as earned_cents
from {{ ref('stg_sales') }}
join {{ ref('stg_products') }} using (product)
group by product
