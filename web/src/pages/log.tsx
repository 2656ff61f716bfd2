// The node's log: the tail that it keeps, then lines as they are written.
import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { act, get, type NodeEvent, type Schemas } from '../api'
import { epoch, useEvents, useLive } from '../live'
import { Needs, Search, Select, Tabs, useBusy } from '../parts'
import { href, replace, route } from '../router'
import { canAdmin } from '../session'
import { Clock, num, plain, plural, T } from '../text'
import { Badge, Card, Empty, Head, type Tone } from '../ui'

type Line = Schemas['LogLine']
type Level = Line['level']

const KEPT = 1000 // as the node
const LEVELS: Level[] = ['error', 'warn', 'notice', 'info', 'debug']
const TONES: Record<Level, Tone> = { error: 'bad', warn: 'warn', notice: 'info', info: 'quiet', debug: 'quiet' }

export const EventTabs = ({ at }: { at: 'events' | 'log' }) => (
	<Tabs
		label="What happened"
		items={[
			['#/events', 'Events', at === 'events'],
			['#/log', 'Log', at === 'log'],
		]}
	/>
)

const fromEvent = (e: NodeEvent): Line => ({
	cursor: Number(e.data.cursor),
	time: e.time,
	level: e.data.level as Level,
	area: String(e.data.area ?? ''),
	text: String(e.data.text ?? ''),
})

function Tail({ level, words }: { level: Level; words: string }) {
	const lines = useRef(signal<Line[]>([])).current
	const [paused, setPaused] = useState(false)
	const held = useRef<Line[]>([])
	const [waiting, setWaiting] = useState(0)
	const [state, setState] = useState({ loading: true, error: '' })
	const add = (some: Line[]) => {
		const all = new Map([...lines.value, ...some].map((l) => [l.cursor, l]))
		lines.value = [...all.values()].sort((a, b) => b.cursor - a.cursor).slice(0, KEPT)
	}
	useEffect(() => {
		const abort = new AbortController()
		lines.value = []
		// Cursors begin anew with the node, so what was there is not added to.
		const stop = epoch.subscribe(() => {
			get('/api/v1/log', { query: { level, limit: KEPT }, signal: abort.signal }).then(
				(tail) => {
					held.current = []
					setWaiting(0)
					lines.value = tail.reverse()
					setState({ loading: false, error: '' })
				},
				(e) => abort.signal.aborted || setState({ loading: false, error: e instanceof Error ? e.message : String(e) }),
			)
		})
		return () => {
			stop()
			abort.abort()
		}
	}, [level])
	useEvents(
		(events, old) => {
			const mine = old ? [] : events.filter((e) => e.type === 'log.line').map(fromEvent)
			const fresh = mine.filter((l) => LEVELS.indexOf(l.level) <= LEVELS.indexOf(level))
			if (!fresh.length) return
			if (paused) {
				held.current = [...held.current, ...fresh].slice(-KEPT)
				setWaiting(held.current.length)
			} else add(fresh)
		},
		[level, paused],
	)
	const pause = () => {
		if (paused) {
			add(held.current)
			held.current = []
			setWaiting(0)
		}
		setPaused(!paused)
	}
	const lower = words.toLowerCase()
	const shown = lines.value.filter((l) => !lower || `${l.area} ${l.text}`.toLowerCase().includes(lower))
	return (
		<Card
			title="Newest first"
			after={
				<span class="bar plain">
					<span class="quiet" role="status">
						{plural(shown.length, 'line')}
					</span>
					<button type="button" class="small" aria-pressed={paused} onClick={pause}>
						{paused ? `Go on${waiting ? ` (${num(waiting)} new)` : ''}` : 'Pause'}
					</button>
				</span>
			}
		>
			{state.error && <p class="notice bad">{plain(state.error)}</p>}
			{shown.length ? (
				<ol class="log" aria-label="Log lines, newest first">
					{shown.map((l) => (
						<li key={l.cursor}>
							<Clock t={l.time} />
							<Badge tone={TONES[l.level] ?? 'quiet'}>{plain(l.level)}</Badge>
							<code class="quiet">{plain(l.area)}</code>
							<T class="mono wrap" s={l.text} />
						</li>
					))}
				</ol>
			) : (
				!state.error && <Empty>{state.loading ? 'Loading…' : words || level !== 'debug' ? 'No line like that.' : 'Nothing was written yet.'}</Empty>
			)}
		</Card>
	)
}

// What the node writes at all, until it ends; then the option log.level holds again.
function Written() {
	const [, run] = useBusy()
	const now = useLive('level of the log', (signal) => get('/api/v1/log/level', { signal }))
	const set = async (level: Level) => {
		if (await run(act('PUT', '/api/v1/log/level', {}, { level }), `The node writes ${level} and graver`)) now.reload()
	}
	return (
		now.data && (
			<p class="bar">
				<label>
					Written until the node ends:{' '}
					<Select label="Written" value={now.data.level} options={LEVELS.map((l) => [l, l] as const)} onChange={set} />
				</label>
				<span class="quiet">
					At its start it takes <code>log.level</code>, see <a href="#/settings">settings</a>.
				</span>
			</p>
		)
	)
}

export function Log() {
	const q = route.value.query
	const level = (q.get('level') || 'debug') as Level
	const words = q.get('q') ?? ''
	const set = (next: Record<string, string>) => replace(href(['log'], { level, q: words, ...next }))
	return (
		<>
			<Head text="Log" />
			<EventTabs at="log" />
			<div class="bar">
				<Search label="Area or words" value={words} onInput={(v) => set({ q: v })} />
				<Select
					label="Level"
					value={level}
					options={LEVELS.map((l) => [l, l === 'debug' ? 'every level' : l === 'error' ? 'errors only' : `${l} and graver`] as const)}
					onChange={(v) => set({ level: v })}
				/>
			</div>
			<Needs scope="admin">{canAdmin.value && <Tail key={level} level={level} words={words} />}</Needs>
			{canAdmin.value && <Written />}
			<p class="hint">The node keeps its newest {num(KEPT)} lines.</p>
		</>
	)
}
