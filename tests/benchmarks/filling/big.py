"""What comes by the million, as statements for the database itself: orders with their three changes, clients and the
look-up of their contacts, upload jobs, files, calls to Metrica, imports, audit entries, webhooks, alerts, day figures
and day numbers.

Nothing is drawn at random: `dice(number, salt, sides)` is a hash of the row's number, so every statement can say anew
what another one has written, and the same seed gives the same rows.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime

DAYS = 730

# ruff: noqa: E501 - SQL reads better in its own lines

FUNCTIONS = """
CREATE FUNCTION pg_temp.dice(number bigint, salt int, sides bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT mod(hashint8extended(number, salt + {seed} * 1000) & 9223372036854775807, sides) $$;

CREATE FUNCTION pg_temp.until() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT '{until}'::timestamptz $$;

-- Time-ordered keys (UUID version 7): of what, by whom (a counter, an order), which of them.
CREATE FUNCTION pg_temp.key(at timestamptz, owner bigint, which int, kind text) RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT (lpad(to_hex((date_part('epoch', at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(which), 3, '0')
           || kind || lpad(to_hex(owner), 15, '0'))::uuid $$;

-- Orders come ever faster; the last one a minute ago.
CREATE FUNCTION pg_temp.came(number bigint) RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT pg_temp.until() - interval '1 minute'
          - make_interval(secs => {days} * 86400 * (1 - power(number / {orders}::float8, 0.7))) $$;

CREATE FUNCTION pg_temp.created(number bigint) RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT date_trunc('second', pg_temp.came(number) - make_interval(secs => CASE WHEN pg_temp.dice(number, 1, 20) = 0
          THEN pg_temp.dice(number, 2, 86400 * 20) ELSE pg_temp.dice(number, 2, 120) END)) $$;

-- When the order's first, second, third status happened, and when it was received.
CREATE FUNCTION pg_temp.happened(number bigint, seq int) RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT CASE seq WHEN 1 THEN pg_temp.created(number) ELSE date_trunc('second', least(
          pg_temp.came(number) + make_interval(secs => CASE seq WHEN 2 THEN 0 ELSE pg_temp.dice(number, 4, 86400 * 20) END
                                                      + pg_temp.dice(number, 3, 86400 * 5)),
          pg_temp.until() - make_interval(secs => 40 - 10 * seq))) END $$;

CREATE FUNCTION pg_temp.received(number bigint, seq int) RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT CASE seq WHEN 1 THEN pg_temp.came(number) ELSE least(
          pg_temp.happened(number, seq) + make_interval(secs => pg_temp.dice(number, 5 + seq, 600)), pg_temp.until()) END $$;

CREATE FUNCTION pg_temp.change_key(number bigint, seq int) RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT pg_temp.key(pg_temp.received(number, seq), number, seq, '8') $$;

-- Three of the ten statuses are not mapped.
CREATE FUNCTION pg_temp.status(number bigint, seq int) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT CASE seq
     WHEN 1 THEN CASE WHEN pg_temp.dice(number, 11, 100) < 90 THEN 'Новый лид'
                      WHEN pg_temp.dice(number, 11, 100) < 98 THEN 'IN_PROGRESS' ELSE 'Заявка с сайта' END
     WHEN 2 THEN CASE WHEN pg_temp.dice(number, 12, 100) < 40 THEN 'В работе'
                      WHEN pg_temp.dice(number, 12, 100) < 60 THEN 'Замер назначен'
                      WHEN pg_temp.dice(number, 12, 100) < 75 THEN 'good_lead'
                      WHEN pg_temp.dice(number, 12, 100) < 85 THEN 'Предоплата'
                      WHEN pg_temp.dice(number, 12, 100) < 97 THEN 'Запись в филиал №1' ELSE 'Перезвонить' END
     ELSE CASE WHEN pg_temp.dice(number, 13, 100) < 45 THEN 'PAID'
               WHEN pg_temp.dice(number, 13, 100) < 70 THEN 'Отказ'
               WHEN pg_temp.dice(number, 13, 100) < 80 THEN 'CANCELLED'
               WHEN pg_temp.dice(number, 13, 100) < 85 THEN 'SPAM'
               WHEN pg_temp.dice(number, 13, 100) < 97 THEN 'Сделка закрыта' ELSE 'Дубль' END END $$;

-- People come back: orders a multiple of `slots` apart are of one counter, and three of them of one person.
CREATE FUNCTION pg_temp.person(number bigint) RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT number - {slots} * mod((number - 1) / {slots}, 3) $$;

CREATE FUNCTION pg_temp.has_client(person bigint) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT pg_temp.dice(person, 14, 100) < 70 $$;

CREATE FUNCTION pg_temp.identifiers(person bigint) RETURNS jsonb LANGUAGE sql STABLE AS
$$ SELECT CASE
     WHEN pg_temp.dice(person, 15, 100) < 50 THEN jsonb_build_object('client_ids', jsonb_build_array(pg_temp.client_id(person)))
     WHEN pg_temp.dice(person, 15, 100) < 65 THEN jsonb_build_object(
       'client_ids', jsonb_build_array(pg_temp.client_id(person), pg_temp.client_id(-person)), 'phones', jsonb_build_array(pg_temp.phone(person)))
     WHEN pg_temp.dice(person, 15, 100) < 75 THEN jsonb_build_object(
       'emails', jsonb_build_array(pg_temp.email(person)), 'phones', jsonb_build_array(pg_temp.phone(person)))
     WHEN pg_temp.dice(person, 15, 100) < 85 THEN jsonb_build_object('phones', jsonb_build_array(pg_temp.phone(person)))
     WHEN pg_temp.dice(person, 15, 100) < 90 THEN jsonb_build_object('emails', jsonb_build_array(pg_temp.email(person)))
     WHEN pg_temp.dice(person, 15, 100) < 93 THEN jsonb_build_object('emails_md5', jsonb_build_array(md5(pg_temp.email(person))))
     WHEN pg_temp.dice(person, 15, 100) < 96 THEN jsonb_build_object('phones_md5', jsonb_build_array(md5(pg_temp.phone(person))))
     WHEN pg_temp.dice(person, 15, 100) < 97 THEN '{{}}'::jsonb
     ELSE jsonb_build_object('client_ids', jsonb_build_array(pg_temp.client_id(person)),
       'emails', jsonb_build_array(pg_temp.email(person)), 'phones', jsonb_build_array(pg_temp.phone(person))) END $$;

-- Files: one of each counter, wave and stretch of `stretch` days; stretch 0 is the present one.
CREATE FUNCTION pg_temp.stretch(at timestamptz) RETURNS int LANGUAGE sql STABLE AS
$$ SELECT floor(date_part('epoch', pg_temp.until() - at) / (86400 * {stretch}))::int $$;

CREATE FUNCTION pg_temp.job_key(stretch int, counter bigint, wave int, kind text) RETURNS uuid LANGUAGE sql STABLE AS
$$ SELECT pg_temp.key(pg_temp.until() - make_interval(secs => 86400 * {stretch} * stretch + 60), counter, wave, kind) $$;
"""

# Called by others above, so they are made first.
CONTACTS = """
CREATE FUNCTION pg_temp.client_id(person bigint) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT '17' || lpad(mod(hashint8extended(person, 21) & 9223372036854775807, 100000000000000000)::text, 17, '0') $$;
CREATE FUNCTION pg_temp.phone(person bigint) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT '79' || lpad(mod(hashint8extended(person, 22) & 9223372036854775807, 1000000000)::text, 9, '0') $$;
CREATE FUNCTION pg_temp.email(person bigint) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT 'buyer' || person || '@' || (ARRAY['mail.example', 'post.example', 'shop.example'])[1 + mod(person, 3)] $$;

-- As apps.clients.contacts.digest: the first 16 hexadecimal digits less 2^63, which turns the sign's bit round.
CREATE FUNCTION pg_temp.digest(kind text, value text) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || left(CASE kind WHEN 'client_ids' THEN md5('ClientID ' || value) WHEN 'emails' THEN md5(value)
                                WHEN 'phones' THEN md5(value) ELSE value END, 16))::bit(64)::bigint # '-9223372036854775808'::bigint $$;
"""

CLIENTS = """
INSERT INTO clients_client (id, counter_id, uniq_id, name, identifiers, attributes, created_at, updated_at, revision,
                            sending_revision, settled_revision, reject_code, reject_message)
SELECT n, slot.counter_id, 'C-' || n,
       (ARRAY['Anna', 'Иван', 'Мария', 'Oleg', 'Ольга', ''])[1 + pg_temp.dice(n, 31, 6)]
         || CASE WHEN pg_temp.dice(n, 31, 6) = 5 THEN '' ELSE ' ' || (ARRAY['Смирнов', 'Ivanova', 'Кузнецова', 'Popov'])[1 + pg_temp.dice(n, 32, 4)] END,
       pg_temp.identifiers(n), CASE WHEN pg_temp.dice(n, 33, 10) = 0 THEN '{{"city": "Perm"}}'::jsonb ELSE '{{}}'::jsonb END,
       pg_temp.came(n), pg_temp.came(n), 1, 0, 1, '', ''
FROM generate_series({first}, {last}) AS n JOIN bench_slot slot ON slot.id = mod(n, {slots})
WHERE pg_temp.person(n) = n AND pg_temp.has_client(n)
"""

# One order in a thousand is of one and the same dealer.
ORDERS = """
INSERT INTO orders_order (id, counter_id, order_id, client_id, create_date_time, create_date_only, identifiers, order_status,
                          status_date_time, current_change_id, changes_count, resend_due, client_revision, created_at, updated_at)
SELECT n, slot.counter_id,
       CASE mod(slot.counter_id, 4) WHEN 0 THEN n::text WHEN 1 THEN 'D-' || n WHEN 2 THEN 'LEAD-' || n ELSE md5(n::text) END,
       CASE WHEN slot.first AND pg_temp.dice(n, 41, 100) = 0 THEN (SELECT min(d) FROM generate_series(1, 1000) AS d JOIN bench_slot s ON s.id = mod(d, {slots}) WHERE s.first AND pg_temp.person(d) = d AND pg_temp.has_client(d))
            WHEN pg_temp.has_client(pg_temp.person(n)) THEN pg_temp.person(n) END,
       pg_temp.created(n), mod(slot.counter_id, 50) = 9,
       CASE WHEN pg_temp.dice(n, 42, 10) < 2 THEN '{{}}'::jsonb ELSE pg_temp.identifiers(pg_temp.person(n)) END,
       pg_temp.status(n, 3), pg_temp.happened(n, 3), pg_temp.change_key(n, 3), 3, mod(n, 50000) = 7, 0, pg_temp.came(n), pg_temp.received(n, 3)
FROM generate_series({first}, {last}) AS n JOIN bench_slot slot ON slot.id = mod(n, {slots})
"""

# A hold passes or is looked after within a month or so; what Metrica refused stays refused. OFFSET 0: what is drawn there
# is worked out once, not anew wherever it is used.
CHANGES = """
INSERT INTO orders_statuschange (id, counter_id, order_id, seq, order_status, status_date_time, received_at, source,
                                 received_by, request_id, revenue, cost, currency, goals, products, attributes, changed,
                                 delivery, hold_reason, forced, reject_code, reject_message, reject_field, upload_id, delivered_at)
SELECT pg_temp.key(received_at, n, seq, '8'), counter_id, n, seq, status, pg_temp.happened(n, seq), received_at,
       (ARRAY['api', 'api', 'api', 'api', 'api', 'api', 'csv', 'csv', 'gateway', 'admin'])[1 + pg_temp.dice(n, 54, 10)],
       'key crm', md5((n / 100)::text || seq),
       CASE WHEN seq > 1 THEN 1000 + pg_temp.dice(n, 55, 90000) END, CASE WHEN seq > 1 THEN (1000 + pg_temp.dice(n, 55, 90000)) * 0.6 END, 'RUB',
       CASE WHEN pg_temp.dice(n, 56, 20) = 0 THEN '[{{"goal_action_id": "deal_won", "price": "500"}}]'::jsonb ELSE '[]'::jsonb END,
       CASE WHEN pg_temp.dice(n, 57, 5) = 0 THEN jsonb_build_object('sku-' || pg_temp.dice(n, 58, 40), 1 + pg_temp.dice(n, 59, 3)) ELSE '{{}}'::jsonb END,
       '{{}}'::jsonb, CASE seq WHEN 1 THEN '[]'::jsonb ELSE '["order_status", "revenue"]'::jsonb END,
       delivery, CASE WHEN delivery = 'held' THEN hold ELSE '' END, false,
       CASE WHEN delivery = 'rejected' THEN (ARRAY['invalid_parameter', 'invalid_parameter', 'unwritable', 'given_up'])[1 + pg_temp.dice(n, 60, 4)] ELSE '' END,
       CASE WHEN delivery = 'rejected' THEN 'Incorrect part of the file: line 7, column phones' ELSE '' END,
       CASE WHEN delivery = 'rejected' THEN (ARRAY['phones', 'emails', 'revenue', ''])[1 + pg_temp.dice(n, 61, 4)] ELSE '' END,
       CASE WHEN delivery IN ('delivered', 'rejected', 'sending') THEN pg_temp.job_key(pg_temp.stretch(received_at), counter_id, seq, '8') END,
       CASE WHEN delivery = 'delivered' THEN least(received_at + interval '20 minutes', pg_temp.until()) END
FROM (
  SELECT facts.*,
    CASE WHEN paused AND age < interval '5 days' THEN 'held'
         WHEN unmapped AND age < interval '30 days' THEN 'held'
         WHEN luck < 3 AND age < interval '200 days' THEN 'held'
         WHEN luck < 6 THEN 'rejected'
         WHEN luck < 12 THEN 'superseded'
         WHEN waits AND age < interval '20 days' THEN 'waiting'
         WHEN age < interval '10 minutes' THEN 'sending'
         WHEN age < interval '2 hours' THEN 'waiting'
         ELSE 'delivered' END AS delivery,
    CASE WHEN paused AND age < interval '5 days' THEN 'counter_paused'
         WHEN unmapped THEN 'unmapped_status'
         ELSE (ARRAY['no_identifiers', 'by_hand', 'update_window_closed', 'future_date', 'client_refused'])[1 + pg_temp.dice(n, 62, 5)] END AS hold
  FROM (
    SELECT drawn.*, pg_temp.until() - received_at AS age, status IN ('Заявка с сайта', 'Перезвонить', 'Дубль') AS unmapped
    FROM (
      SELECT n, seq, slot.counter_id, slot.paused, slot.waits, pg_temp.status(n, seq) AS status,
             pg_temp.received(n, seq) AS received_at, pg_temp.dice(n * 4 + seq, 51, 1000) AS luck
      FROM generate_series({first}::bigint, {last}::bigint) AS came, generate_series(1, 3) AS seq,
           LATERAL (SELECT came - (seq - 1) * {behind} AS n) AS number JOIN bench_slot slot ON slot.id = mod(n, {slots})
      WHERE n BETWEEN 1 AND {orders}
      OFFSET 0
    ) drawn
    OFFSET 0
  ) facts
  OFFSET 0
) decided
"""

# Reads what is there by then: a client's identifiers are told by its first order, which has the same number; an order
# tells what it has and its client has not.
TOLD_OF_CLIENTS = """
INSERT INTO clients_contact (digest, counter_id, order_key, client_id, told_at)
SELECT pg_temp.digest(kind, value), client.counter_id, client.id, client.id, client.created_at
FROM clients_client client, jsonb_each(client.identifiers) AS given(kind, listed), jsonb_array_elements_text(listed) AS value
WHERE client.id BETWEEN {first} AND {last}
"""
TOLD_BY_ORDERS = """
INSERT INTO clients_contact (digest, counter_id, order_key, client_id, told_at)
SELECT pg_temp.digest(kind, value), o.counter_id, o.id, o.client_id, o.created_at
FROM orders_order o, jsonb_each(o.identifiers) AS given(kind, listed), jsonb_array_elements_text(listed) AS value
WHERE o.id BETWEEN {first} AND {last} AND o.client_id IS DISTINCT FROM pg_temp.person(o.id)
"""

JOBS = """
INSERT INTO uploads_uploadjob (id, counter_id, state, trigger, requested_by, request_id, created_at, started_at, finished_at,
  changes, delivered, held, rejected, resent, clients, clients_refused, error_code, error_message, wave, wave_cursor,
  clients_planned, fence, lease_until, waiting_since, urgent, breakdowns)
SELECT pg_temp.job_key(s, c.counter_id, 0, '8'), c.counter_id,
       CASE WHEN s = 0 AND c.place <= 10 THEN 'running' WHEN luck = 0 THEN 'failed' WHEN luck < 4 THEN 'partly_failed'
            WHEN luck = 4 THEN 'cancelled' ELSE 'succeeded' END,
       CASE WHEN luck < 10 THEN 'person' WHEN luck < 13 THEN 'api' ELSE 'schedule' END,
       CASE WHEN luck < 10 THEN 'owner@agency' || c.agency_id || '.example' WHEN luck < 13 THEN 'key crm' ELSE '' END,
       md5('job' || s || ' ' || c.counter_id), at, at, CASE WHEN s = 0 AND c.place <= 10 THEN NULL ELSE at + interval '3 minutes' END,
       number, number - number / 200, number / 300, number / 400, 0, 0, 0,
       CASE WHEN luck = 0 THEN 'quota_exceeded' ELSE '' END, CASE WHEN luck = 0 THEN 'The quota of the day is used up.' ELSE '' END,
       3, 0, true, 1, CASE WHEN s = 0 AND c.place <= 10 THEN pg_temp.until() + interval '1 hour' END, at, false, 0
FROM (SELECT *, pg_temp.dice(c.counter_id * 1000 + s, 71, 100) AS luck, 3 * c.orders * {stretch} / {days} AS number,
             pg_temp.until() - make_interval(secs => 86400 * {stretch} * s + 60) AS at
      FROM bench_counter c, generate_series(0, {days} / {stretch}) AS s) c
"""

UPLOADS = """
INSERT INTO uploads_upload (id, job_id, part, wave, kind, format, state, rows, bytes, sha256, file, mapping, attempts,
  sent_again, lookups, http_status, uploading_id, error_code, error_message, created_at, started_at, sent_at, finished_at)
SELECT pg_temp.job_key(s, c.counter_id, w, '8'), pg_temp.job_key(s, c.counter_id, 0, '8'), '', w,
       CASE WHEN c.detailed THEN 'orders' ELSE 'simple_orders' END, 'csv', state, number, number * 140, md5('file' || s || c.counter_id || w) || md5(w::text),
       'uploads/' || c.counter_id || '/' || s || '-' || w || '.csv.gz', '{{"PAID": {{"type": "PAID", "order_status": "PAID", "goal_action_ids": [], "goals": [], "source": "default"}}}}'::jsonb, 1,
       '', 0, CASE WHEN state = 'refused' THEN 400 WHEN state = 'passed' THEN 200 END,
       CASE WHEN state = 'passed' THEN (s::bigint * 1000000 + c.counter_id * 10 + w)::text ELSE '' END,
       CASE WHEN state = 'refused' THEN 'invalid_parameter' WHEN state = 'failed' THEN 'quota_exceeded' ELSE '' END,
       CASE WHEN state IN ('refused', 'failed') THEN 'Incorrect part of the file' ELSE '' END, at, at, at,
       CASE WHEN state = 'sending' THEN NULL ELSE at + interval '1 minute' END
FROM (SELECT *, c.orders * {stretch} / {days} AS number,
             pg_temp.until() - make_interval(secs => 86400 * {stretch} * s + 60 - 20 * w) AS at,
             CASE WHEN s = 0 AND c.place <= 10 AND w = 3 THEN 'sending'
                  WHEN pg_temp.dice(c.counter_id * 1000 + s, 72 + w, 200) < 1 THEN 'refused'
                  WHEN pg_temp.dice(c.counter_id * 1000 + s, 72 + w, 200) < 2 THEN 'failed' ELSE 'passed' END AS state
      FROM bench_counter c, generate_series(0, {days} / {stretch}) AS s, generate_series(1, 3) AS w) c
"""

# Each file's own call, and one that reads the list of uploads for each job.
CALLS = """
INSERT INTO counters_apicall (id, agency_id, account_id, counter_id, subject, method, url, request_headers, request_body,
  request_size, started_at, finished_at, status, response_headers, response_body, outcome, error_code, request_id)
SELECT pg_temp.job_key(s, c.counter_id, w, '9'), c.agency_id, c.account_id, c.counter_id,
       CASE WHEN w > 0 THEN pg_temp.job_key(s, c.counter_id, w, '8') END, CASE WHEN w > 0 THEN 'POST' ELSE 'GET' END,
       'https://api-metrika.yandex.net/cdp/api/v1/counter/' || c.metrica_id || CASE WHEN w > 0 THEN '/data/simple_orders?merge_mode=SAVE' ELSE '/last_uploadings' END,
       '{{"authorization": "[hidden]", "user-agent": "Goalpost"}}'::jsonb, CASE WHEN w > 0 THEN repeat('id,create_date_time,order_status ', 12) ELSE '' END,
       c.orders * 140, at, at + interval '700 milliseconds', CASE WHEN luck = 0 THEN 503 WHEN luck = 1 THEN 400 ELSE 200 END,
       '{{"content-type": "application/json"}}'::jsonb, '{{"uploading": {{"uploading_id": "1", "status": "UPLOADED"}}}}',
       CASE WHEN luck = 0 THEN 'transient' WHEN luck = 1 THEN 'permanent' WHEN luck = 2 THEN 'unknown' ELSE 'ok' END,
       CASE WHEN luck = 0 THEN 'unavailable' WHEN luck = 1 THEN 'invalid_parameter' ELSE '' END, md5('job' || s || ' ' || c.counter_id)
FROM (SELECT *, pg_temp.dice(c.counter_id * 1000 + s, 80 + w, 300) AS luck,
             pg_temp.until() - make_interval(secs => 86400 * {stretch} * s + 60 - 20 * w) AS at
      FROM bench_counter c, generate_series(0, {days} / {stretch}) AS s, generate_series(0, 3) AS w) c
"""

FIGURES = """
INSERT INTO dashboard_dayfigures (counter_id, side, day, orders, in_progress, paid, cancelled, spam, other, revenue, profit,
  goals, bindable, late, without_client_id, fresh, other_currency, visits, at)
SELECT c.counter_id, side, (pg_temp.until() - make_interval(days => d))::date, number, number / 10, number / 2, number / 4, number / 20, number / 10,
       number * 20000, number * 8000, jsonb_build_object('paid', number / 2, 'deal_won', number / 10),
       CASE side WHEN 'ours' THEN number ELSE 0 END, 0, number / 5, 0, 0, CASE side WHEN 'ours' THEN 0 ELSE number END, pg_temp.until()
FROM (SELECT *, c.orders / {days} * CASE side WHEN 'ours' THEN 10 ELSE 7 END / 10 AS number
      FROM bench_counter c, generate_series(0, {days}, {stretch}) AS d, unnest(ARRAY['ours', 'metrica']) AS side) c
"""

# Numbers of the home page: what was received and delivered on a day, and of the orders created then what became of them.
NUMBERS = """
INSERT INTO dashboard_daynumbers (counter_id, day, received, delivered, orders, with_client_id, with_phone, with_email,
  in_progress, paid, cancelled, spam, other, revenue, profit, reached_created, reached_paid, reached_cancelled, reached_spam,
  reached_own, goals, statuses, other_money)
SELECT c.counter_id, (pg_temp.until() - make_interval(days => d))::date, 3 * number, 3 * number - number / 10, number, number / 2,
       number / 3, number / 4, number / 10, number / 2, number / 4, number / 20, number / 10, number * 20000, number * 8000,
       number / 2, number / 2, number / 4, number / 20, number / 10, jsonb_build_object('deal_won', number / 10),
       jsonb_build_object('in_progress', jsonb_build_object('Новый лид', number / 10), 'paid', jsonb_build_object('Оплачено', number / 2)), '{{}}'::jsonb
FROM (SELECT *, c.orders / {days} AS number FROM bench_counter c, generate_series(0, {days}) AS d) c
"""

# Four of five came through whole; a draft and one that is under way now and then.
IMPORTS = """
INSERT INTO imports_importjob (id, counter_id, state, name, kind, size, sha256, file, "table", sample, sheet, encoding, delimiter,
  columns, language, requested_by, request_id, created_at, started_at, finished_at, line, position, whole, created, updated,
  unchanged, rejected, reported, held, warned, error_code, error_message, fence, breakdowns)
SELECT pg_temp.key(at, c.counter_id * 10000 + i, 1, 'c'), c.counter_id, state, 'orders-' || i || '.csv', 'csv', 140 * number, md5(i::text) || md5(at::text),
       '', '', decode('{sample}', 'hex'), '', 'utf-8', ',', '{{"id": "id", "create_date_time": "create_date_time", "order_status": "order_status"}}'::jsonb, 'en',
       'owner@agency' || c.agency_rank || '.example', md5('import' || i || ' ' || c.counter_id), at, at,
       CASE WHEN state IN ('draft', 'queued') THEN NULL ELSE at + interval '40 seconds' END, number, 140 * number, 140 * number,
       number - number / 10, number / 20, number / 20, CASE WHEN state = 'partly_failed' THEN 7 ELSE 0 END, CASE WHEN state = 'partly_failed' THEN 7 ELSE 0 END,
       CASE WHEN luck = 5 THEN '{{"unmapped_status": 4}}'::jsonb ELSE '{{}}'::jsonb END, '{{}}'::jsonb,
       CASE WHEN state = 'failed' THEN 'internal_error' ELSE '' END, '', 1, 0
FROM (SELECT *, CASE luck WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' WHEN 2 THEN 'draft' WHEN 3 THEN 'partly_failed' WHEN 4 THEN 'partly_failed' ELSE 'succeeded' END AS state
      FROM (SELECT *, pg_temp.dice(c.counter_id * 1000 + i, 98, 20) AS luck, 1000 + pg_temp.dice(c.counter_id * 1000 + i, 99, 4000)::int AS number,
                   pg_temp.until() - make_interval(secs => {days} * 86400.0 * i / {imports} + 300) AS at
            FROM bench_counter c, generate_series(0, {imports} - 1) AS i) lucky) c
"""

REPORTS = """
INSERT INTO imports_reportpart (job_id, first_line, rows, body)
SELECT id, 2, 7, decode('{report}', 'hex') FROM imports_importjob WHERE reported > 0
"""

AUDIT = """
INSERT INTO audit_auditentry (agency_id, counter, at, actor_kind, actor_id, actor_label, action, object_type, object_id, object_label,
  before, after, details, source, ip, request_id)
SELECT c.agency_id, c.metrica_id, pg_temp.came(n::bigint * {orders} / {entries}), kind, '1',
       CASE kind WHEN 'person' THEN (ARRAY['owner', 'manager1', 'manager2', 'manager3'])[1 + pg_temp.dice(n, 91, 4)] || '@agency' || c.agency_rank || '.example'
                 WHEN 'key' THEN 'key crm' ELSE 'system' END,
       (ARRAY['orders.accepted', 'orders.accepted', 'orders.accepted', 'upload_job.requested', 'upload_job.finished', 'status.changed', 'counter.changed', 'comparison.finished'])[1 + what],
       (ARRAY['counters.counter', 'counters.counter', 'counters.counter', 'uploads.uploadjob', 'uploads.uploadjob', 'goals.statusmapping', 'counters.counter', 'dashboard.comparison'])[1 + what],
       CASE WHEN what IN (3, 4) THEN pg_temp.job_key(1 + mod(n, {days} / {stretch})::int, c.counter_id, 0, '8')::text ELSE c.counter_id::text END,
       c.name, CASE WHEN what IN (5, 6) THEN '{{"name": "before", "type": "OTHER"}}'::jsonb END,
       CASE WHEN what IN (5, 6) THEN '{{"name": "after", "type": "PAID"}}'::jsonb END, '{{"created": 12, "updated": 4}}'::jsonb,
       CASE kind WHEN 'person' THEN 'web' WHEN 'key' THEN 'api' ELSE 'worker' END,
       CASE kind WHEN 'person' THEN ('10.0.' || pg_temp.dice(n, 93, 200) || '.7')::inet END, md5('entry' || n / 2)
FROM (SELECT n, pg_temp.dice(n, 92, 8)::int AS what,
             (ARRAY['key', 'key', 'key', 'person', 'system'])[1 + pg_temp.dice(n, 94, 5)] AS kind
      FROM generate_series(1, {entries}) AS n) e
JOIN bench_slot slot ON slot.id = mod(n * 7, {slots}) JOIN bench_counter c USING (counter_id)
"""

ALERTS = """
INSERT INTO alerts_alert (id, agency_id, cause, subject, label, counter_id, severity, facts, opened_at, last_seen, closed_at, ending)
SELECT pg_temp.key(at, n, 1, 'a'), c.agency_id, cause, 'counter ' || c.counter_id || CASE WHEN open THEN ' ' || n ELSE '' END, c.name, c.counter_id,
       CASE WHEN cause = 'holds_waiting' THEN 'warning' ELSE 'urgent' END,
       CASE WHEN cause = 'holds_waiting' THEN jsonb_build_object('reasons', jsonb_build_object('unmapped_status', jsonb_build_object('count', 120, 'oldest', NULL)))
            ELSE jsonb_build_object('jobs', 3, 'code', 'quota_exceeded', 'job', pg_temp.job_key(1, c.counter_id, 0, '8')) END,
       at, at, CASE WHEN open THEN NULL ELSE at + interval '1 day' END, CASE WHEN open THEN '' ELSE 'over' END
FROM (SELECT n, (ARRAY['holds_waiting', 'holds_waiting', 'counter_failing'])[1 + mod(n, 3)] AS cause, n > {alerts} - 100 AS open,
             pg_temp.came(n::bigint * {orders} / {alerts}) AS at
      FROM generate_series(1, {alerts}) AS n) e
JOIN bench_slot slot ON slot.id = mod(n * 11, {slots}) JOIN bench_counter c USING (counter_id)
"""

MESSAGES = """
INSERT INTO alerts_alertdelivery (id, channel_id, is_test, items, subject, text, html, state, attempts, "left", error_code,
  error_message, created_at, tried_at, finished_at)
SELECT pg_temp.key(a.opened_at, channel.id, 1, 'b'), channel.id, false, '[]'::jsonb, 'Goalpost: ' || a.label, repeat('What is the matter. ', 20), '',
       'sent', 1, '[]'::jsonb, '', '', a.opened_at, a.opened_at, a.opened_at
FROM alerts_alert a JOIN alerts_channel channel ON channel.agency_id = a.agency_id
ON CONFLICT DO NOTHING
"""

TOLD = """
INSERT INTO alerts_told (channel_id, alert_id, stage, severity, at)
SELECT channel.id, a.id, CASE WHEN a.closed_at IS NULL THEN 'opened' ELSE 'over' END, a.severity, a.opened_at
FROM alerts_alert a JOIN alerts_channel channel ON channel.agency_id = a.agency_id
"""

EVENTS = """
INSERT INTO hooks_event (id, agency_id, counter_id, type, created_at, upload_id, code, message)
SELECT pg_temp.key(at, n, 1, '8'), c.agency_id, c.counter_id, (ARRAY['order.delivered', 'order.held', 'order.rejected', 'upload.finished'])[1 + mod(n, 4)], at,
       pg_temp.job_key(0, c.counter_id, 1, '8'), '', ''
FROM (SELECT n, pg_temp.until() - make_interval(secs => 30 * 86400 * (1 - n / {events}::float8)) AS at FROM generate_series(1, {events}) AS n) e
JOIN bench_slot slot ON slot.id = mod(n * 13, {slots}) JOIN bench_counter c USING (counter_id)
"""

DELIVERIES = """
INSERT INTO hooks_delivery (id, endpoint_id, event_id, state, is_replay, attempts, created_at, sent_at, finished_at, headers,
  body_bytes, body_sha256, http_status, answer, seconds, error_code, error_message)
SELECT e.id, endpoint.id, e.id, CASE luck WHEN 0 THEN 'abandoned' WHEN 1 THEN 'failed' WHEN 2 THEN 'waiting' ELSE 'delivered' END, false, 1, e.created_at,
       e.created_at, e.created_at, '{{}}'::jsonb, 300, md5(e.id::text), 200, 'ok', 0.2, '', ''
FROM (SELECT *, pg_temp.dice(hashtext(id::text), 97, 300) AS luck FROM hooks_event) e JOIN hooks_endpoint endpoint ON endpoint.agency_id = e.agency_id
"""

# Reads the orders and changes that are there by then.
RESENDS = """
INSERT INTO uploads_resend (upload_id, order_id, change_id)
SELECT pg_temp.job_key(pg_temp.stretch(o.updated_at), o.counter_id, 3, '8'), o.id, o.current_change_id
FROM orders_order o WHERE mod(o.id, 500) = 0
"""
# What a script for Metrica uploaded: as often as files were imported, one in twenty refused.
BY_SCRIPTS = """
INSERT INTO api_receivedupload (id, counter_id, kind, format, merge_mode, state, filename, size, sha256, elements, created, updated,
  unchanged, held, problems, remarks, ignored, received_by, request_id, received_at)
SELECT pg_temp.key(at, c.counter_id * 10000 + i, 3, 'd'), c.counter_id, CASE WHEN i % 3 = 0 THEN 'contacts' ELSE 'simple_orders' END, 'CSV', 'SAVE',
       CASE luck WHEN 0 THEN 'FAILED' ELSE 'PASSED' END, 'orders.csv', 140 * number, md5(i::text) || md5(at::text), number,
       CASE luck WHEN 0 THEN 0 ELSE number / 2 END, 0, CASE luck WHEN 0 THEN 0 ELSE number - number / 2 END, 0,
       CASE luck WHEN 0 THEN '[{{"location": "line 3, column revenue", "code": "money_format", "message": "This is no amount."}}]'::jsonb ELSE '[]'::jsonb END,
       '[]'::jsonb, '[]'::jsonb, 'key crm', md5('script' || i || ' ' || c.counter_id), at
FROM (SELECT *, pg_temp.dice(c.counter_id * 1000 + i, 96, 20) AS luck, 10 + pg_temp.dice(c.counter_id * 1000 + i, 97, 400)::int AS number,
             pg_temp.until() - make_interval(secs => {days} * 86400.0 * i / {imports} + 500) AS at
      FROM bench_counter c, generate_series(0, {imports} - 1) AS i) c
"""


PLACES = """
CREATE UNLOGGED TABLE bench_slot (id bigint PRIMARY KEY, counter_id bigint, paused boolean, waits boolean, first boolean);
CREATE UNLOGGED TABLE bench_counter (counter_id bigint PRIMARY KEY, agency_id bigint, agency_rank int, account_id bigint,
  metrica_id bigint, name text, detailed boolean, place int, orders bigint)
"""
"""Which counter gets the orders of which slot, and what the counters are; gone again at the end."""

IN_PIECES = {
    "clients_client": (CLIENTS,),
    "orders_order": (ORDERS,),
    "orders_statuschange": (CHANGES,),
    "clients_contact": (TOLD_OF_CLIENTS, TOLD_BY_ORDERS),
}
CHAINS: tuple[dict[str, str], ...] = (
    {"counters_apicall": CALLS},
    {"uploads_uploadjob": JOBS, "uploads_upload": UPLOADS},
    {"dashboard_daynumbers": NUMBERS},
    {"dashboard_dayfigures": FIGURES},
    {"audit_auditentry": AUDIT},
    {"hooks_event": EVENTS, "hooks_delivery": DELIVERIES},
    {"alerts_alert": ALERTS, "alerts_alertdelivery": MESSAGES, "alerts_told": TOLD},
    {"imports_importjob": IMPORTS, "imports_reportpart": REPORTS},
    {"api_receivedupload": BY_SCRIPTS},
    {"uploads_resend": RESENDS},
)
"""Side by side; within one, some read what those before them wrote."""

TABLES = (*IN_PIECES, *(table for chain in CHAINS for table in chain))

# A file's beginning, and lines of a report, as imports keep them: CSV, compressed.
_SAMPLE = "id,create_date_time,order_status\n" + "".join(f"D-{n},2026-01-0{n} 10:00,PAID\n" for n in range(1, 8))
_REPORT = "".join(f"{n},id,required,Write the order's id.,,2026-01-0{n} 10:00,PAID\n" for n in range(2, 9))


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of everything there is. `stretch`: days that one upload job of a counter covers."""

    orders: int
    slots: int
    seed: int
    until: datetime

    def values(self) -> dict[str, object]:
        return {
            "orders": self.orders,
            "slots": self.slots,
            "seed": self.seed,
            "until": self.until.isoformat(),
            "days": DAYS,
            "stretch": min(DAYS, max(1, 10_000_000 // self.orders)),
            "behind": max(1, self.orders // 100),
            "entries": max(1000, self.orders // 20),
            "alerts": max(300, self.orders // 1000),
            "events": max(500, self.orders // 50),
            "imports": 40,
            "sample": zlib.compress(_SAMPLE.encode()).hex(),
            "report": zlib.compress(_REPORT.encode()).hex(),
        }

    def functions(self) -> str:
        return CONTACTS + FUNCTIONS.format(**self.values())

    def statement(self, text: str, *, first: int = 1, last: int = 0) -> str:
        return text.format(**self.values(), first=first, last=last)

    def pieces(self, table: str, number: int = 60) -> list[tuple[int, int]]:
        """Ranges of orders that are written one after the other. Second and third changes of an order come later, among
        first ones of other orders, as in life."""
        size = max(1000, -(-self.orders // number))
        end = self.orders + (2 * max(1, self.orders // 100) if table == "orders_statuschange" else 0)
        return [(first, min(first + size - 1, end)) for first in range(1, end + 1, size)]
