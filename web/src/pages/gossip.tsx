// Topics of users: subscribe, publish, and messages as they come.
import { useEffect, useRef, useState } from 'preact/hooks'
import { signal } from '@preact/signals'
import { act, get, type Message, type NodeEvent } from '../api'
import { epoch, useEvents, useLive } from '../live'
import { href, route } from '../router'
import { canWrite } from '../session'
import { Clock, num, PeerId, plain, plural, T } from '../text'
import { Field, fields, type FormEvent, Needs, useBusy } from '../parts'
import { Badge, Card, Empty, Head, Loaded } from '../ui'
import { Counters, GossipTabs, Mesh, Scores, type View } from './mesh'

const PAGE = 100
const KEPT = 500

const fromEvent = (e: NodeEvent): Message => ({
	cursor: Number(e.data.cursor ?? 0),
	time: e.time,
	topic: String(e.data.topic ?? ''),
	id: String(e.data.id ?? ''),
	author: e.peer ?? '',
	signed: true,
	encoding: e.data.encoding === 'base64' ? 'base64' : 'utf8',
	data: String(e.data.data ?? ''),
})

function size(base64: string) {
	return Math.floor((base64.replace(/=+$/, '').length * 3) / 4)
}

const Row = ({ m, topic }: { m: Message; topic: boolean }) => (
	<li class="message">
		<div class="message-head">
			<PeerId id={m.author} />
			{topic && (
				<a href={href(['gossip', m.topic])}>
					<T class="ref" s={m.topic} />
				</a>
			)}
			{!m.signed && (
				<Badge tone="warn" title="Only the sender is known, not the author">
					unsigned
				</Badge>
			)}
			<Clock t={m.time} />
		</div>
		{m.encoding === 'utf8' ? (
			<div class="message-text">
				<T s={m.data} />
			</div>
		) : (
			<div class="message-text quiet">
				{plural(size(m.data), 'byte')} of binary data: <code>{plain(m.data.slice(0, 64))}</code>
				{m.data.length > 64 && '…'}
			</div>
		)}
	</li>
)

// Kept messages by cursor, the newest page first; then those of the stream.
function Messages({ topic }: { topic: string }) {
	const list = useRef(signal<Message[]>([])).current
	const [old, setOld] = useState<{ loading: boolean; error?: string }>({ loading: true })
	const add = (some: Message[]) => {
		const all = new Map(list.value.map((m) => [m.cursor + m.id, m]))
		for (const m of some) all.set(m.cursor + m.id, m)
		list.value = [...all.values()].sort((a, b) => b.cursor - a.cursor).slice(0, KEPT)
	}
	useEffect(() => {
		const abort = new AbortController()
		const load = async () => {
			let after = list.value[0]?.cursor ?? 0
			try {
				for (;;) {
					const query = { after, limit: PAGE }
					const some = topic
						? await get('/api/v1/gossip/topics/{topic}/messages', { path: { topic }, query, signal: abort.signal })
						: await get('/api/v1/gossip/messages', { query, signal: abort.signal })
					add(some)
					if (some.length < PAGE) break
					after = some.at(-1)!.cursor
				}
				setOld({ loading: false })
			} catch (e) {
				if (!abort.signal.aborted) setOld({ loading: false, error: e instanceof Error ? e.message : String(e) })
			}
		}
		list.value = []
		const stop = epoch.subscribe(() => void load())
		return () => {
			stop()
			abort.abort()
		}
	}, [topic])
	useEvents(
		(events, past) => {
			const mine = events.filter((e) => !past && e.type === 'gossip.message' && (!topic || e.data.topic === topic))
			if (mine.length) add(mine.map(fromEvent))
		},
		[topic],
	)
	return (
		<Card
			title={topic ? 'Messages' : 'Messages of all topics'}
			after={<span class="quiet">{plural(list.value.length, 'message')}</span>}
		>
			{old.error && <p class="notice bad">{plain(old.error)}</p>}
			{list.value.length ? (
				<ul class="messages" aria-label="Messages, newest first">
					{list.value.map((m) => (
						<Row key={m.cursor + m.id} m={m} topic={!topic} />
					))}
				</ul>
			) : (
				<Empty>{old.loading ? 'Loading…' : 'No message yet.'}</Empty>
			)}
		</Card>
	)
}

function Publish({ topic }: { topic: string }) {
	const [busy, run] = useBusy()
	const submit = async (e: FormEvent) => {
		const form = e.currentTarget
		const { data } = fields(e)
		if (await run(act('POST', '/api/v1/gossip/topics/{topic}/messages', { path: { topic } }, { data }), 'Published')) form.reset()
	}
	return (
		<Card title="Publish">
			<Needs scope="write">
				<form onSubmit={submit}>
					<Field label="Message" hint="Signed by this node and sent to everyone who is subscribed; at most 16 KiB">
						{(ids) => <textarea {...ids} name="data" rows={3} required maxLength={16384} />}
					</Field>
					<footer>
						<button class="primary" disabled={busy}>
							Publish
						</button>
					</footer>
				</form>
			</Needs>
		</Card>
	)
}

function Subscribe() {
	const [busy, run] = useBusy()
	const submit = async (e: FormEvent) => {
		const form = e.currentTarget
		const topic = fields(e).topic!.trim()
		if (await run(act('PUT', '/api/v1/gossip/topics/{topic}', { path: { topic } }), 'Subscribed')) {
			form.reset()
			location.hash = href(['gossip', topic])
		}
	}
	return (
		<form class="inline" onSubmit={submit}>
			<Field label="Subscribe to a topic">
				{(ids) => <input {...ids} name="topic" required maxLength={128} autocomplete="off" spellcheck={false} />}
			</Field>
			<button disabled={busy}>Subscribe</button>
		</form>
	)
}

function Topics({ current }: { current: string }) {
	const topics = useLive(
		'topics',
		(s) => get('/api/v1/gossip/topics', { signal: s }),
		(e) =>
			['gossip.message', 'peer.connected', 'peer.disconnected', 'repo.added', 'repo.created', 'repo.removed'].includes(e.type),
		1500,
	)
	const [busy, run] = useBusy()
	const [all, setAll] = useState(false)
	const toggle = async (name: string, on: boolean) => {
		await run(
			act(on ? 'PUT' : 'DELETE', '/api/v1/gossip/topics/{topic}', { path: { topic: name } }),
			on ? 'Subscribed' : 'Unsubscribed',
		)
		topics.reload()
	}
	return (
		<Card
			title="Topics"
			after={
				<label class="check">
					<input type="checkbox" checked={all} onChange={(e) => setAll(e.currentTarget.checked)} /> the node's own too
				</label>
			}
		>
			<Needs scope="write">
				<Subscribe />
			</Needs>
			<Loaded of={topics}>
				{(list) => {
					const shown = list.filter((t) => t.user || all)
					return shown.length ? (
						<ul class="rows">
							{shown.map((t) => (
								<li key={t.name}>
									<span class="grow">
										<a href={href(['gossip', t.name])} aria-current={t.name === current ? 'page' : undefined}>
											<T s={t.name} />
										</a>
										<span class="sub">
											{plural(t.peers, 'peer')}, mesh {num(t.mesh)} · {num(t.delivered)} delivered, {num(t.duplicate)} duplicate,{' '}
											{num(t.rejected)} rejected, {num(t.published)} published
										</span>
									</span>
									{t.user && canWrite.value && (
										<button
											type="button"
											class="small"
											disabled={busy}
											aria-label={`${t.subscribed ? 'Unsubscribe from' : 'Subscribe to'} ${plain(t.name)}`}
											onClick={() => toggle(t.name, !t.subscribed)}
										>
											{t.subscribed ? 'Unsubscribe' : 'Subscribe'}
										</button>
									)}
								</li>
							))}
						</ul>
					) : (
						<Empty>No topic of a user yet.</Empty>
					)
				}}
			</Loaded>
		</Card>
	)
}

export function Gossip() {
	const topic = route.value.parts[1] ?? ''
	const view = (topic ? 'topics' : (route.value.query.get('view') ?? 'topics')) as View
	return (
		<>
			<Head text={topic ? `Gossip: ${topic}` : 'Gossip'}>
				{topic ? (
					<>
						<a href="#/gossip">Gossip</a> <span class="quiet">/</span> <T s={topic} />
					</>
				) : (
					'Gossip'
				)}
			</Head>
			<GossipTabs at={view} />
			{view === 'peers' ? (
				<Scores />
			) : view === 'counters' ? (
				<Counters />
			) : (
				<div class="columns side">
					<Topics current={topic} />
					<div>
						{topic && <Publish topic={topic} />}
						<Messages key={topic} topic={topic} />
					</div>
				</div>
			)}
			{topic && <Mesh key={topic} topic={topic} />}
		</>
	)
}
