-- A plain shop's database, as SQLite makes it: sqlite3 shop.db < shop.sql
create table payments (id integer primary key, order_no text, total_minor integer, currency text, paid_at text, state text);
insert into payments values
    (1, 'ORD-1001', 345000, 'INR', '2026-08-03T09:15:00+05:30', 'paid'),
    (2, 'ORD-1002', 4990, 'USD', '2026-08-04T21:40:00+05:30', 'paid'),
    (3, 'ORD-1003', 12050, 'INR', '2026-08-13T11:05:00+05:30', 'open');
