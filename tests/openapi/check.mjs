// TAP: api/openapi.yaml is clean for redocly and spectral, api/openapi.json is the same document, and the route table and the
// contract name each other's operations, with the same scopes.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const root = process.env.GUTS_SRCDIR ?? join(here, '../..')
if (!existsSync(join(here, 'node_modules/yaml'))) {
  console.log('1..0 # SKIP npm packages of tests/openapi are not installed')
  process.exit(0)
}
const { parse } = await import('yaml')
let n = 0
const ok = (good, text, notes = []) => {
  notes.forEach((note) => console.log(`# ${note}`))
  console.log(`${good ? 'ok' : 'not ok'} ${++n} - ${text}`)
}
console.log('1..6')

const lint = spawnSync(process.execPath, [join(here, 'node_modules/@redocly/cli/bin/cli.js'), 'lint', '--format=stylish',
  '--config', join(here, 'redocly.yaml'), join(root, 'api/openapi.yaml')],
{ encoding: 'utf8', env: { ...process.env, REDOCLY_TELEMETRY: 'off', NODE_NO_WARNINGS: '1' } })
ok(lint.status === 0 && !/warning|error/.test(lint.stdout ?? ''), 'redocly lint is clean',
  lint.status === 0 ? [] : `${lint.stdout}${lint.stderr}`.split('\n'))

const spectral = spawnSync(process.execPath, [join(here, 'node_modules/@stoplight/spectral-cli/dist/index.js'), 'lint', '--fail-severity=hint',
  '--ruleset', join(here, 'spectral.yaml'), join(root, 'api/openapi.yaml')], { encoding: 'utf8' })
ok(spectral.status === 0 && /No results/.test(spectral.stdout ?? ''), "spectral's spectral:oas is clean",
  spectral.status === 0 ? [] : `${spectral.stdout}${spectral.stderr}`.split('\n'))

const text = readFileSync(join(root, 'api/openapi.yaml'), 'utf8')
const doc = parse(text)
ok(JSON.stringify(doc, null, '\t') + '\n' === readFileSync(join(root, 'api/openapi.json'), 'utf8'),
  'api/openapi.json is made of api/openapi.yaml (tests/openapi/json.mjs)')

// "GET /api/v1/repos/{repo}/contents/{path*} public" → "get /api/v1/repos/{owner}/{name}/contents/{path}"
const table = new Map()
const dump = execFileSync(join(process.env.GUTS_BUILDDIR, 'tests/openapi/dump_routes'), { encoding: 'utf8' })
for (const line of dump.trim().split('\n')) {
  const [method, path, scope] = line.split(' ')
  const plain = path.replace('{repo}', '{owner}/{name}').replace('*}', '}')
  table.set(`${method.toLowerCase()} ${plain}`, scope)
}
// The one path that shows the id form of a repository.
table.set('get /api/v1/repos/{id}', table.get('get /api/v1/repos/{owner}/{name}'))
const contract = new Map()
for (const [path, item] of Object.entries(doc.paths)) {
  for (const method of ['get', 'put', 'post', 'delete', 'patch']) {
    if (item[method]) contract.set(`${method} ${path}`, item[method]['x-scope'])
  }
}
const missing = [...table.keys()].filter((k) => !contract.has(k))
const extra = [...contract.keys()].filter((k) => !table.has(k))
const scopes = [...table].filter(([k, v]) => contract.has(k) && contract.get(k) !== v)
ok(missing.length === 0 && table.size > 40, `every route is in the contract (${table.size})`, missing)
ok(extra.length === 0, 'every operation of the contract is a route', extra)
ok(scopes.length === 0, 'both name the same scopes', scopes.map(([k, v]) => `${k}: ${v}, contract ${contract.get(k)}`))
