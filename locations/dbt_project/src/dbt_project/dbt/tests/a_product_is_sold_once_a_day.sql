-- Fails with the rows that an increment would have doubled.
select day, product
from {{ ref('daily_sales') }}
group by day, product
having count(*) > 1
