// Builds the dashboard: bundles src/, compresses every file, and writes them all as one C file.
//
//   node build.mjs OUT.c [DIST_DIR]
//
// The names of all files but the page itself hold a hash of their content, so they are cached for ever.
// A first load or a whole that has grown over its budget is an error.
import { build } from 'esbuild'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const FIRST_MAX = 30 * 1024 // [bytes, compressed] until the overview is there
const ALL_MAX = 200 * 1024 // [bytes, compressed]

const here = dirname(fileURLToPath(import.meta.url))
const src = (name) => join(here, 'src', name)
const hash = (data) => createHash('sha256').update(data).digest('hex')
const types = {
	css: 'text/css; charset=utf-8',
	html: 'text/html; charset=utf-8',
	js: 'text/javascript; charset=utf-8',
	svg: 'image/svg+xml',
}

// path → content of all that is served
const files = new Map()
const outputs = {} // esbuild's account of what imports what

async function bundle(entryPoints, define = {}) {
	const result = await build({
		entryPoints,
		define,
		absWorkingDir: here,
		bundle: true,
		splitting: true,
		format: 'esm',
		target: ['es2022', 'chrome123', 'firefox128', 'safari17.5'],
		minify: true,
		legalComments: 'none',
		jsx: 'automatic',
		jsxImportSource: 'preact',
		outdir: '/assets',
		entryNames: '[name]-[hash]',
		chunkNames: '[name]-[hash]',
		assetNames: '[name]-[hash]',
		write: false,
		metafile: true,
		logLevel: 'warning',
	})
	for (const f of result.outputFiles) files.set('/assets/' + basename(f.path), Buffer.from(f.contents))
	const made = {}
	for (const [path, o] of Object.entries(result.metafile.outputs)) {
		outputs['/assets/' + basename(path)] = o
		if (o.entryPoint) made[basename(o.entryPoint)] = '/assets/' + basename(path)
	}
	return made
}

const text = (s) => JSON.stringify(s)
const side = await bundle([
	src('worker.ts'),
	src('highlight.worker.ts'),
	src('style.css'),
	src('pages.css'),
	join(here, 'node_modules/uplot/dist/uPlot.min.css'),
])
const { 'app.tsx': app } = await bundle([src('app.tsx')], {
	STREAM_WORKER: text(side['worker.ts']),
	HIGHLIGHT_WORKER: text(side['highlight.worker.ts']),
	CHART_STYLE: text(side['uPlot.min.css']),
	PAGES_STYLE: text(side['pages.css']),
})

const icon = readFileSync(src('icon.svg'))
const iconPath = `/assets/icon-${hash(icon).slice(0, 8).toUpperCase()}.svg`
files.set(iconPath, icon)

// What the first page runs: the program, all that it imports, and the stream's worker.
const first = new Set()
const take = (path) => {
	if (first.has(path)) return
	first.add(path)
	for (const i of outputs[path]?.imports ?? []) if (i.kind === 'import-statement') take('/assets/' + basename(i.path))
}
take(app)
const preload = [...first].filter((p) => p !== app)
take(side['worker.ts'])
take(side['style.css'])

const page = readFileSync(src('index.html'), 'utf8').replace(
	/\{\{(\w+)\}\}\n?/g,
	(_, name) =>
		({ icon: iconPath, style: side['style.css'], app })[name] ??
		preload.map((p) => `<link rel="modulepreload" href="${p}">\n`).join(''),
)
files.set('/index.html', Buffer.from(page))
first.add('/index.html')

const paths = [...files.keys()].sort()
const packed = new Map(paths.map((p) => [p, gzipSync(files.get(p), { level: 9 })]))
const sum = (list) => [...list].reduce((n, p) => n + Math.min(packed.get(p).length, files.get(p).length), 0)
const firstBytes = sum(first)
const allBytes = sum(paths)
console.log(`dashboard: first load ${firstBytes} of ${FIRST_MAX} bytes, all ${allBytes} of ${ALL_MAX}, compressed`)
if (firstBytes > FIRST_MAX || allBytes > ALL_MAX) {
	for (const p of paths) console.error(`${packed.get(p).length}\t${first.has(p) ? 'first' : ''}\t${p}`)
	console.error('dashboard: over its budget')
	process.exit(1)
}

// -- the C file

const bytes = (data) => {
	const lines = []
	for (let i = 0; i < data.length; i += 24) lines.push('\t' + [...data.subarray(i, i + 24)].join(',') + ',')
	return lines.join('\n')
}
const c = ['/* Made by web/build.mjs; do not edit. */', '#include "http/assets.h"', '']
const rows = []
paths.forEach((path, i) => {
	const data = files.get(path)
	const gzip = packed.get(path)
	const small = gzip.length < data.length
	c.push(`static const uint8_t data${i}[] = {\n${bytes(data)}\n};`)
	if (small) c.push(`static const uint8_t gzip${i}[] = {\n${bytes(gzip)}\n};`)
	rows.push(
		`\t{ ${text(path)}, ${text(types[path.replace(/.*\./, '')])}, ${text(`"${hash(data).slice(0, 32)}"`)}, ` +
			`${path.startsWith('/assets/')}, data${i}, sizeof data${i}, ${small ? `gzip${i}, sizeof gzip${i}` : 'NULL, 0'} },`,
	)
})
c.push('', 'const struct guts_asset guts_assets[] = {', ...rows, '};')
c.push('const size_t guts_assets_n = sizeof guts_assets / sizeof guts_assets[0];', '')

const [, , out, dist] = process.argv
if (dist) {
	rmSync(dist, { recursive: true, force: true })
	for (const [path, data] of files) {
		mkdirSync(dirname(join(dist, path)), { recursive: true })
		writeFileSync(join(dist, path), data)
	}
}
if (out) writeFileSync(out, c.join('\n'))
