// A script as people write them for Metrica: node's own fetch, a file as a Blob, then the list of uploads.
const [host, token, counter, file] = process.argv.slice(2)
const { readFile } = await import('node:fs/promises')

async function call(path, options = {}) {
  const headers = { Authorization: `OAuth ${token}`, ...options.headers }
  const answer = await fetch(`${host}/cdp/api/v1/counter/${counter}/${path}`, { ...options, headers })
  const body = await answer.json()
  if (!answer.ok) throw new Error(`${answer.status} ${body.errors[0].error_type}: ${body.message}`)
  return body
}

const form = new FormData()
form.append('file', new Blob([await readFile(file)], { type: 'text/csv' }), 'orders.csv')
const { uploading } = await call('data/simple_orders?merge_mode=SAVE&delimiter_type=COMMA', { method: 'POST', body: form })
const contacts = { contacts: [{ uniq_id: 'C-1', name: 'Анна', emails: ['anna@shop.example'] }] }
await call('data/contacts?merge_mode=APPEND', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(contacts),
})
const { uploadings } = await call('last_uploadings?limit=1000')
console.log(JSON.stringify({ uploading, listed: uploadings.map((one) => one.uploading_id) }))
