// History, newest first.
import { signal, type Signal } from '@preact/signals'
import { getRepo, getRepoPage, type Commit, type Schemas } from '../api'
import { listen, useLive } from '../live'
import { go, repoHref, route } from '../router'
import { Ago, Oid, plain, T } from '../text'
import { Pager } from '../parts'
import { Card, Empty, Loaded } from '../ui'
import { movesRefs, Switcher, type Of } from './repo'

const SIZE = 30

export const firstLine = (c: Commit) => c.commit.message.split('\n', 1)[0] || '(no message)'

// -- the sum of a commit's statuses, a few at a time

type Combined = Schemas['CombinedStatus']
const sums = new Map<string, Signal<Combined | null | undefined>>()
const queue: (() => Promise<void>)[] = []
let working = 0

function pump() {
	while (working < 4 && queue.length) {
		working++
		void queue.shift()!().finally(() => {
			working--
			pump()
		})
	}
}

function load(path: string, sha: string, into: Signal<Combined | null | undefined>) {
	queue.push(async () => {
		try {
			into.value = await getRepo(path, '/commits/{sha}/status', { path: { sha } })
		} catch {
			into.value = null
		}
	})
	pump()
}

const watched = new Map<string, () => void>()
let watching = false
function watch() {
	if (watching) return
	watching = true
	listen((events, old) => {
		for (const e of events) if (!old && e.type === 'status.created') watched.get(`${e.repo} ${e.data.commit}`)?.()
	})
}

export function combined(of: Of, sha: string) {
	const key = `${of.repo.id} ${sha}`
	let sum = sums.get(key)
	if (!sum) {
		if (sums.size > 2000) {
			sums.clear()
			watched.clear()
		}
		sum = signal(undefined)
		sums.set(key, sum)
		const mine = sum
		watched.set(key, () => load(of.path, sha, mine))
		watch()
		load(of.path, sha, sum)
	}
	return sum.value
}

const SIGN: Record<string, [string, string]> = {
	success: ['ok', 'm3 8.5 3.2 3L13 4.5'],
	failure: ['bad', 'm4 4 8 8m0-8-8 8'],
	error: ['bad', 'M8 3v6m0 2.5v1.5'],
	pending: ['warn', 'M8 3.5V8l3 2'],
}

export const Sign = ({ state, text }: { state: string; text: string }) => {
	const [tone, path] = SIGN[state] ?? ['quiet', 'M4 8h8']
	return (
		<svg viewBox="0 0 16 16" class={'sign ' + tone} role="img" aria-label={text}>
			<circle cx="8" cy="8" r="7" />
			<path d={path} />
		</svg>
	)
}

export function StatusIcon({ of, sha }: { of: Of; sha: string }) {
	const sum = combined(of, sha)
	if (!sum || sum.total_count === 0) return null
	return (
		<a class="status" href={repoHref(of.path, ['commit', sha])} title={`${sum.total_count} statuses: ${sum.state}`}>
			<Sign state={sum.state} text={`statuses: ${sum.state}`} />
		</a>
	)
}

const dayOf = new Intl.DateTimeFormat('en', { dateStyle: 'full' })
const day = (c: Commit) => {
	const t = Date.parse(c.commit.committer.date)
	return Number.isNaN(t) ? 'Unknown day' : dayOf.format(t)
}

export function Commits({ of }: { of: Of }) {
	const q = route.value.query
	const page = Number(q.get('page') ?? 1) || 1
	const file = q.get('path') ?? ''
	const list = useLive(
		`commits ${of.repo.id} ${of.current} ${file} ${page}`,
		(s) =>
			getRepoPage(of.path, '/commits', { query: { sha: of.current, path: file || undefined, page, per_page: SIZE }, signal: s }),
		movesRefs(of.repo),
	)
	const to = (ref: string, p = 1) => repoHref(of.path, ['commits', ref], '', { path: file, page: p > 1 ? p : undefined })
	if (!of.repo.head && of.current === of.repo.default_branch) return <Empty>No commit yet.</Empty>
	return (
		<>
			<div class="bar">
				<Switcher of={of} to={(ref) => to(ref)} />
				{file && (
					<span>
						Changes of <T class="mono" s={file} /> · <a href={repoHref(of.path, ['commits', of.current])}>all</a>
					</span>
				)}
			</div>
			<Loaded of={list}>
				{({ items, more }) => {
					const days: [string, Commit[]][] = []
					for (const c of items) {
						if (days.at(-1)?.[0] !== day(c)) days.push([day(c), []])
						days.at(-1)![1].push(c)
					}
					return (
						<>
							{!items.length && <Empty>No commit.</Empty>}
							{days.map(([name, some]) => (
								<Card title={name} class="commits">
									<ol class="rows" data-commits>
										{some.map((c) => (
											<li key={c.sha}>
												<span class="grow">
													<a class="strong" href={repoHref(of.path, ['commit', c.sha])}>
														<T s={firstLine(c)} />
													</a>{' '}
													<StatusIcon of={of} sha={c.sha} />
													<span class="sub">
														<T s={c.commit.author.name} /> · <Ago t={c.commit.author.date} />
														{c.parents.length > 1 && ' · merge'}
													</span>
												</span>
												<Oid id={c.sha} />
												<a
													class="button small"
													href={repoHref(of.path, ['src', c.sha], file)}
													aria-label={`Files at ${plain(firstLine(c))}`}
												>
													Files
												</a>
											</li>
										))}
									</ol>
								</Card>
							))}
							<Pager page={page} size={SIZE} total={-1} more={more} onPage={(p) => go(to(of.current, p))} />
						</>
					)
				}}
			</Loaded>
		</>
	)
}
