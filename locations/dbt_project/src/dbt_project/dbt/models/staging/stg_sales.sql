select
    day::date as day,
    product,
    sold::integer as sold
from {{ ref('raw_sales') }}
where sold > 0
