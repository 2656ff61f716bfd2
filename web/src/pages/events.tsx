// The event log and what follows, live.
import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { get, getFacts, type NodeEvent } from '../api'
import { EventRow } from '../eventrow'
import { epoch, useEvents } from '../live'
import { known } from '../names'
import { href, replace, route } from '../router'
import { num, plain, plural, shortRepo } from '../text'
import { Select } from '../parts'
import { Card, Empty, Head } from '../ui'
import { EventTabs } from './log'

const KEPT = 1000
const SHOWN = 200

const KINDS = [
	['', 'every type'],
	['node.', 'node'],
	['peer.', 'peers'],
	['repo.', 'repositories'],
	['repo.ref', 'refs'],
	['status.', 'statuses'],
	['gossip.', 'gossip'],
	['job.', 'jobs'],
	['token.', 'tokens'],
	['log.', 'log'],
] as const
const SORTS = [
	['', 'facts and signals'],
	['facts', 'facts only'],
	['signals', 'signals only'],
] as const

// What was logged before this page: the newest facts that fit the filter.
async function history(type: string, repo: string, signal: AbortSignal) {
	const { events } = await get('/api/v1/status', { signal })
	// Newest first means from the end: go back in growing steps until enough of them fit.
	for (let back = SHOWN; ; back *= 8) {
		const since = Math.max(events.oldest - 1, events.newest - back, 0)
		const facts = await getFacts({ repo: repo || undefined, since, limit: 1000 }, signal)
		const fit = facts.filter((e) => e.type.startsWith(type))
		if (fit.length >= 50 || since <= Math.max(events.oldest - 1, 0) || back > 5000) return fit.reverse()
	}
}

export function Events() {
	const q = route.value.query
	const type = q.get('type') ?? ''
	const sort = q.get('kind') ?? ''
	const repo = q.get('repo') ?? ''
	const set = (next: Record<string, string>) => replace(href(['events'], { type, kind: sort, repo, ...next }))
	const feed = useRef(signal<NodeEvent[]>([])).current
	const [paused, setPaused] = useState(false)
	const held = useRef<NodeEvent[]>([])
	const [waiting, setWaiting] = useState(0)
	const [error, setError] = useState('')

	const fits = (e: NodeEvent) =>
		e.type.startsWith(type) &&
		(!repo || e.repo === repo) &&
		(sort === '' ? e.type !== 'node.rates' || type === 'node.' : sort === 'facts' ? e.id !== undefined : e.id === undefined)

	const add = (some: NodeEvent[]) => {
		const newest = feed.value.find((e) => e.id !== undefined)?.id ?? -1
		const fresh = some.filter((e) => e.id === undefined || e.id > newest)
		feed.value = [...fresh.reverse(), ...feed.value].slice(0, KEPT)
	}
	useEffect(() => {
		const abort = new AbortController()
		feed.value = []
		held.current = []
		setWaiting(0)
		const stop = epoch.subscribe(() => {
			if (sort === 'signals') return
			history(type, repo, abort.signal).then(
				(old) => {
					const ids = new Set(old.map((e) => e.id))
					feed.value = [...feed.value.filter((e) => e.id === undefined || !ids.has(e.id)), ...old].slice(0, KEPT)
					setError('')
				},
				(e) => abort.signal.aborted || setError(e instanceof Error ? e.message : String(e)),
			)
		})
		return () => {
			stop()
			abort.abort()
		}
	}, [type, sort, repo])
	useEvents(
		(events, old) => {
			const mine = old ? [] : events.filter(fits)
			if (!mine.length) return
			if (paused) {
				held.current = [...held.current, ...mine].slice(-KEPT)
				setWaiting(held.current.length)
			} else add(mine)
		},
		[type, sort, repo, paused],
	)
	const pause = () => {
		if (paused) {
			add(held.current)
			held.current = []
			setWaiting(0)
		}
		setPaused(!paused)
	}
	const repos = [...known.value].map(([id, k]) => [id, plain(k.name)] as const).sort((a, b) => a[1].localeCompare(b[1]))
	if (repo && !known.value.has(repo)) repos.push([repo, shortRepo(repo)])
	return (
		<>
			<Head
				text="Events"
				after={
					<button type="button" aria-pressed={paused} onClick={pause}>
						{paused ? `Go on${waiting ? ` (${num(waiting)} new)` : ''}` : 'Pause'}
					</button>
				}
			/>
			<EventTabs at="events" />
			<Card>
				<div class="bar">
					<Select label="Type" value={type} options={KINDS} onChange={(v) => set({ type: v })} />
					<Select
						label="Repository"
						value={repo}
						options={[['', 'every repository'], ...repos]}
						onChange={(v) => set({ repo: v })}
					/>
					<Select label="Kind" value={sort} options={SORTS} onChange={(v) => set({ kind: v })} />
					<span class="quiet">{plural(feed.value.length, 'event')}</span>
				</div>
				{error && <p class="notice bad">{plain(error)}</p>}
				{feed.value.length ? (
					<ol class="events detail" aria-label="Events, newest first">
						{feed.value.slice(0, SHOWN).map((e, i) => (
							<EventRow key={e.id ?? e.time + e.type + (feed.value.length - i)} e={e} detail />
						))}
					</ol>
				) : (
					<Empty>Nothing like that has happened yet.</Empty>
				)}
			</Card>
			<p class="hint">
				Facts are numbered, kept, and replayed after a break. Signals (progress, rates, messages, log lines) are shown as they
				come and are not kept.
			</p>
		</>
	)
}
