// The published client as it is. Its host is a constant inside it, so that is exchanged on the way out: nothing else is.
const [host, token, counter] = process.argv.slice(2)
const http = require('node:http')
const https = require('node:https')
const { hostname, port } = new URL(host)
https.request = (options, ...rest) => {
  if (options.hostname !== 'api-metrika.yandex.ru') throw new Error(`an unexpected host: ${options.hostname}`)
  return http.request({ ...options, hostname, port }, ...rest)
}

const YMetrikaRequest = require('yandex-metrika')
const api = new YMetrikaRequest(token)
const base = `/cdp/api/v1/counter/${counter}`
// It puts its own "?oauth_token=…" at the end of each address, which Metrica stopped to look at.
const headers = { Authorization: `OAuth ${token}`, 'Content-Type': 'application/json' }

async function main() {
  const statuses = [{ id: 'won', humanized: 'Сделка закрыта', type: 'PAID', goal_action_ids: ['deal_won'] }]
  const mapped = await api.post(`${base}/schema/order_statuses`, { order_statuses: statuses }, headers)
  const contacts = [{ uniq_id: 'C-1', name: 'Анна', emails: ['anna@shop.example'] }]
  await api.post(`${base}/data/contacts?merge_mode=SAVE&`, { contacts }, headers)
  const order = { id: 'D-1', client_uniq_id: 'C-1', client_type: 'CONTACT', order_status: 'won', revenue: 5000 }
  const orders = [{ ...order, create_date_time: process.argv[5] }]
  const sent = await api.post(`${base}/data/orders?merge_mode=SAVE&`, { orders }, headers)
  const { uploadings } = await api.get(`${base}/last_uploadings`, { limit: 100 }, headers)
  const refused = await api.get(`${base}/last_uploadings`, {}, { Authorization: 'OAuth stale' })
  console.log(JSON.stringify({ mapped, sent, listed: uploadings.map((one) => one.uploading_id), refused }))
}

main().catch((problem) => {
  console.error(problem)
  process.exitCode = 1
})
