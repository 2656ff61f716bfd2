// TAP: the dashboard's types hold against api/openapi.yaml as it is now.
//
// The types are made anew from the contract, so a change of it that the dashboard does not follow is
// found here and not in a browser.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const bin = (name) => join(here, 'node_modules', name)
if (!existsSync(bin('typescript')) || !existsSync(bin('openapi-typescript'))) {
	console.log('1..0 # SKIP npm packages are missing: npm ci --ignore-scripts in web')
	process.exit(0)
}

const out = resolve(process.env.GUTS_BUILDDIR ?? '.', 'web', 'types')
mkdirSync(out, { recursive: true })

let n = 0
let failed = 0
function step(text, ...args) {
	n++
	let said = ''
	try {
		execFileSync(process.execPath, args, { cwd: here, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
	} catch (e) {
		said = `${e.stdout}${e.stderr}`
	}
	if (said) {
		failed++
		console.log(said.trim().replace(/^/gm, '# '))
	}
	console.log(`${said ? 'not ok' : 'ok'} ${n} - ${text}`)
}

const types = join(out, 'api.d.ts')
step('types are made from api/openapi.yaml', join(bin('openapi-typescript'), 'bin/cli.js'), '../api/openapi.yaml', '-o', types)
const config = join(out, 'tsconfig.json')
writeFileSync(
	config,
	JSON.stringify({
		extends: join(here, 'tsconfig.json'),
		compilerOptions: { paths: { 'guts-api': [types] } },
		include: [join(here, 'src')],
	}),
)
step('the dashboard fits them', join(bin('typescript'), 'bin/tsc'), '-p', config)
console.log(`1..${n}`)
process.exit(failed ? 1 : 0)
