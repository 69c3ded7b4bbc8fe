{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='day', tags=['by_day']) }}

-- The days' old rows go and the new ones come in one transaction, so that a day made twice is there once.
select
    day,
    product,
    sold,
    sold * price_cents as earned_cents
from {{ ref('stg_sales') }}
join {{ ref('stg_products') }} using (product)
where day >= '{{ var("from_day") }}'::date
  and day < '{{ var("before_day") }}'::date
