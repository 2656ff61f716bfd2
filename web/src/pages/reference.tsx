// The API as this node describes it itself.
import { useState } from 'preact/hooks'
import { get } from '../api'
import { useLive } from '../live'
import { plain } from '../text'
import { Search } from '../parts'
import { Badge, Card, Empty, Head, Loaded, type Tone } from '../ui'

interface Schema {
	$ref?: string
	type?: string | string[]
	items?: Schema
	enum?: unknown[]
	oneOf?: Schema[]
	allOf?: Schema[]
	properties?: Record<string, Schema>
	additionalProperties?: Schema | boolean
	required?: string[]
	description?: string
	pattern?: string
	default?: unknown
}
interface Parameter {
	$ref?: string
	name: string
	in: string
	required?: boolean
	description?: string
	schema?: Schema
}
interface Body {
	$ref?: string
	description?: string
	content?: Record<string, { schema?: Schema }>
}
interface Operation {
	tags?: string[]
	operationId: string
	summary?: string
	description?: string
	parameters?: Parameter[]
	requestBody?: Body
	responses?: Record<string, Body>
	'x-scope'?: string
}
interface Doc {
	info: { title: string; version: string; description?: string }
	tags?: { name: string; description?: string }[]
	paths: Record<string, Record<string, unknown>>
	components?: Record<string, Record<string, unknown>>
}
interface Row extends Operation {
	method: string
	path: string
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

function resolve<T extends { $ref?: string }>(doc: Doc, x: T): T {
	const at = x.$ref?.match(/^#\/components\/(\w+)\/(\w+)$/)
	return at ? ((doc.components?.[at[1]!]?.[at[2]!] as T | undefined) ?? x) : x
}

function rows(doc: Doc): Row[] {
	return Object.entries(doc.paths).flatMap(([path, item]) =>
		METHODS.filter((m) => item[m]).map((method) => {
			const op = item[method] as Operation
			const shared = (item.parameters as Parameter[] | undefined) ?? []
			return { ...op, parameters: [...shared, ...(op.parameters ?? [])].map((p) => resolve(doc, p)), method, path }
		}),
	)
}

// A schema in one line.
function brief(s: Schema | undefined, depth = 0): string {
	if (!s) return ''
	if (s.$ref) return s.$ref.replace(/.*\//, '')
	if (s.enum) return s.enum.map(String).join(' | ')
	const some = s.oneOf ?? s.allOf
	if (some) return some.map((x) => brief(x, depth)).join(s.oneOf ? ' | ' : ' & ')
	if (s.type === 'array') return brief(s.items, depth) + '[]'
	if (s.properties && depth < 1)
		return `{ ${Object.entries(s.properties)
			.map(([k, v]) => k + (s.required?.includes(k) ? '' : '?') + ': ' + brief(v, depth + 1))
			.join(', ')} }`
	return [s.type ?? 'any'].flat().join(' | ')
}

const Name = ({ s }: { s: Schema | undefined }) => {
	const of = s?.type === 'array' ? s.items : s
	const ref = of?.$ref?.replace(/.*\//, '')
	return ref ? (
		<a href={`#/api?schema=${ref}`}>
			<code>{brief(s)}</code>
		</a>
	) : (
		<code>{plain(brief(s))}</code>
	)
}

const tone: Record<string, Tone> = { get: 'info', post: 'ok', put: 'ok', patch: 'warn', delete: 'bad' }

function OperationView({ op, doc }: { op: Row; doc: Doc }) {
	const body = op.requestBody && resolve(doc, op.requestBody)
	return (
		<details class="operation" id={op.operationId}>
			<summary>
				<Badge tone={tone[op.method] ?? 'quiet'}>{op.method.toUpperCase()}</Badge> <code class="wrap">{op.path}</code>
				<span class="quiet">{op.summary}</span>
			</summary>
			{op.description && <p class="pre">{op.description}</p>}
			<p>
				Right: <Badge>{op['x-scope'] ?? 'none'}</Badge>
			</p>
			{!!op.parameters?.length && (
				<>
					<h4>Parameters</h4>
					<dl class="params">
						{op.parameters.map((p) => (
							<div>
								<dt>
									<code>{p.name}</code> <span class="quiet">in {p.in}</span> {p.required && <Badge tone="warn">required</Badge>}
								</dt>
								<dd>
									<Name s={p.schema} /> {p.description}
								</dd>
							</div>
						))}
					</dl>
				</>
			)}
			{body?.content && (
				<>
					<h4>Body</h4>
					{Object.entries(body.content).map(([type, c]) => (
						<p>
							<span class="quiet">{type}</span> <Name s={c.schema} />
						</p>
					))}
				</>
			)}
			<h4>Answers</h4>
			<dl class="params">
				{Object.entries(op.responses ?? {}).map(([status, r]) => {
					const answer = resolve(doc, r)
					const [media] = Object.values(answer.content ?? {})
					return (
						<div>
							<dt>
								<code>{status}</code>
							</dt>
							<dd>
								{answer.description} {media?.schema && <Name s={media.schema} />}
							</dd>
						</div>
					)
				})}
			</dl>
		</details>
	)
}

function SchemaView({ name, doc }: { name: string; doc: Doc }) {
	const schema = doc.components?.schemas?.[name] as Schema | undefined
	if (!schema) return <Empty>There is no schema of that name.</Empty>
	const parts = [schema, ...(schema.allOf ?? [])]
	const members = parts.flatMap((p) =>
		Object.entries(p.properties ?? {}).map(([k, v]) => [k, v, p.required?.includes(k)] as const),
	)
	return (
		<Card title={name} after={<a href="#/api">All operations</a>}>
			<p>{schema.description}</p>
			{parts
				.filter((p) => p.$ref)
				.map((p) => (
					<p>
						All of <Name s={p} />, and:
					</p>
				))}
			{members.length ? (
				<dl class="params">
					{members.map(([k, v, must]) => (
						<div>
							<dt>
								<code>{k}</code> {!must && <span class="quiet">optional</span>}
							</dt>
							<dd>
								<Name s={v} /> {v.description}
							</dd>
						</div>
					))}
				</dl>
			) : (
				<p>
					<code>{plain(brief(schema))}</code> {schema.pattern && <code>{plain(schema.pattern)}</code>}
				</p>
			)}
		</Card>
	)
}

// Markdown of the contract as plain paragraphs: its marks are left out, and lines of one paragraph flow.
const prose = (s: string) => s.replace(/\*\*|`/g, '').replace(/(\S)\n(?=\S)/g, '$1 ')

export function Reference({ schema }: { schema: string }) {
	const doc = useLive('openapi', async (s) => (await get('/api/v1/openapi.json', { signal: s })) as unknown as Doc)
	const [q, setQ] = useState('')
	return (
		<>
			<Head text="API" />
			<Loaded of={doc}>
				{(d) => {
					if (schema) return <SchemaView name={schema} doc={d} />
					const words = q.toLowerCase().split(/\s+/).filter(Boolean)
					const found = rows(d).filter((r) => {
						const text = `${r.method} ${r.path} ${r.summary ?? ''} ${r.operationId}`.toLowerCase()
						return words.every((w) => text.includes(w))
					})
					return (
						<>
							<Card>
								<p class="pre">{prose(d.info.description ?? '')}</p>
								<p>
									As files: <a href="/api/v1/openapi.yaml">openapi.yaml</a>, <a href="/api/v1/openapi.json">openapi.json</a>.
								</p>
								<div class="bar">
									<Search label="Path or words" value={q} onInput={setQ} />
									<span class="quiet" role="status">
										{found.length} operations
									</span>
								</div>
							</Card>
							{(d.tags ?? []).map((t) => {
								const mine = found.filter((r) => r.tags?.includes(t.name))
								return mine.length ? (
									<Card title={t.name}>
										<p class="quiet">{t.description}</p>
										{mine.map((op) => (
											<OperationView key={op.operationId} op={op} doc={d} />
										))}
									</Card>
								) : null
							})}
						</>
					)
				}}
			</Loaded>
		</>
	)
}
