// One event as a sentence.
import type { ComponentChildren } from 'preact'
import type { NodeEvent } from './api'
import { RepoName } from './names'
import { repoHref } from './router'
import { known } from './names'
import { bytes, Clock, num, PeerLink, plain, plural, shortOid, T } from './text'
import type { Tone } from './ui'

const text = (e: NodeEvent, key: string) => String(e.data[key] ?? '')
const number = (e: NodeEvent, key: string) => Number(e.data[key] ?? 0)
export const branchName = (ref: string) => ref.replace(/^refs\/(heads|tags)\//, '')

const Peer = ({ id }: { id?: string }) => (id ? <PeerLink id={id} /> : <>someone</>)
const Repo = ({ id }: { id?: string }) => (id ? <RepoName id={id} /> : <>a repository</>)
const Why = ({ s }: { s: string }) =>
	s ? (
		<>
			: <T s={s} />
		</>
	) : null

const CommitLink = ({ e, oid }: { e: NodeEvent; oid: string }) => (
	<a href={repoHref(known.value.get(e.repo ?? '')?.path ?? e.repo ?? '', ['commit', oid])}>
		<code>{shortOid(oid)}</code>
	</a>
)

const moved: Record<string, string> = { create: 'created', update: 'moved', force: 'force-moved', delete: 'deleted' }

const Job = ({ e, does }: { e: NodeEvent; does: string }) => (
	<>
		<T s={text(e, 'context')} /> for <CommitLink e={e} oid={text(e, 'commit')} /> of <Repo id={e.repo} /> {does}
		<Why s={text(e, 'description')} />
	</>
)

const Hook = ({ e }: { e: NodeEvent }) => <a href={`#/hooks/${number(e, 'hook')}/${number(e, 'delivery')}`}>{number(e, 'hook')}</a>

type Line = (e: NodeEvent) => ComponentChildren
const lines: Record<string, Line> = {
	'node.started': (e) => (
		<>
			The node started
			{text(e, 'version') && (
				<>
					{' '}
					(version <T s={text(e, 'version')} />)
				</>
			)}
		</>
	),
	'node.stopped': () => <>The node stopped</>,
	'peer.connected': (e) => (
		<>
			<Peer id={e.peer} /> connected, {text(e, 'direction') === 'outbound' ? 'dialled by us' : 'dialled us'}
			{text(e, 'agent') && (
				<>
					{' '}
					(<T s={text(e, 'agent')} />)
				</>
			)}
		</>
	),
	'peer.disconnected': (e) => (
		<>
			<Peer id={e.peer} /> disconnected
			<Why s={text(e, 'reason')} />
		</>
	),
	'peer.banned': (e) => (
		<>
			<Peer id={e.peer} /> was banned
			<Why s={text(e, 'reason')} />
		</>
	),
	'peer.lifted': (e) => (
		<>
			The ban of <Peer id={e.peer} /> was lifted
		</>
	),
	'peer.penalized': (e) => (
		<>
			<Peer id={e.peer} /> broke a rule
			<Why s={text(e, 'reason')} /> ({plural(number(e, 'points'), 'point')}, {num(number(e, 'total'))} in all)
		</>
	),
	'repo.created': (e) => (
		<>
			<Repo id={e.repo} /> was created here
		</>
	),
	'repo.added': (e) => (
		<>
			<Repo id={e.repo} /> was copied from <Peer id={e.peer} />
		</>
	),
	'repo.updated': (e) => (
		<>
			Identity version {num(number(e, 'version'))} of <Repo id={e.repo} />
		</>
	),
	'repo.removed': (e) => (
		<>
			<T s={text(e, 'name') || 'A repository'} /> was removed
		</>
	),
	'repo.policy': (e) => (
		<>
			Policy of <Repo id={e.repo} /> is now <T s={text(e, 'policy')} />
		</>
	),
	'repo.refused': (e) => (
		<>
			A repository offered by <Peer id={e.peer} /> was not kept
			<Why s={text(e, 'reason')} />
		</>
	),
	'repo.author.updated': (e) => (
		<>
			<Peer id={e.peer} /> signed {plural(number(e, 'refs'), 'changed ref')} of <Repo id={e.repo} />
		</>
	),
	'repo.author.forked': (e) => (
		<>
			Two rival records of <Peer id={e.peer} /> in <Repo id={e.repo} />
		</>
	),
	'repo.ref.updated': (e) => (
		<>
			<T s={branchName(text(e, 'ref'))} class="ref" /> of <Repo id={e.repo} /> {moved[text(e, 'kind')] ?? 'changed'}
			{text(e, 'kind') !== 'delete' && (
				<>
					{' '}
					to <CommitLink e={e} oid={text(e, 'new')} />
				</>
			)}
		</>
	),
	'repo.refs.updated': (e) => (
		<>
			{plural(number(e, 'count'), 'more ref')} of <Repo id={e.repo} /> moved
		</>
	),
	'repo.refs.conflict': (e) => (
		<>
			Delegates disagree on <T s={text(e, 'ref')} class="ref" /> of <Repo id={e.repo} />
		</>
	),
	'repo.sync.failed': (e) => (
		<>
			Fetching <Repo id={e.repo} /> from <Peer id={e.peer} /> failed
			<Why s={text(e, 'reason')} />
		</>
	),
	'repo.sync.progress': (e) => (
		<>
			<Repo id={e.repo} />: <T s={text(e, 'phase')} />, {plural(number(e, 'objects'), 'object')}, {bytes(number(e, 'bytes'))}
		</>
	),
	'status.created': (e) => (
		<>
			<T s={text(e, 'context')} />: <T s={text(e, 'state')} /> for <CommitLink e={e} oid={text(e, 'commit')} /> of{' '}
			<Repo id={e.repo} />
		</>
	),
	'ci.job.queued': (e) => <Job e={e} does="waits for a runner" />,
	'ci.job.started': (e) => <Job e={e} does="began" />,
	'ci.job.finished': (e) => <Job e={e} does={`ended with ${text(e, 'state')}`} />,
	'hook.dead': (e) => (
		<>
			Webhook <Hook e={e} />: delivery {number(e, 'delivery')} was given up
			<Why s={text(e, 'reason')} />
		</>
	),
	'hook.delivery': (e) => (
		<>
			Webhook <Hook e={e} />: <T s={text(e, 'event')} /> is <T s={text(e, 'state')} />
			<Why s={text(e, 'reason')} />
		</>
	),
	'job.done': (e) => (
		<>
			<T s={text(e, 'kind')} /> {text(e, 'state') === 'failed' ? 'failed' : 'is done'}
			<Why s={text(e, 'error')} />
		</>
	),
	'job.progress': (e) => (
		<>
			<T s={text(e, 'kind')} />: <T s={text(e, 'phase')} />, {plural(number(e, 'objects'), 'object')}, {bytes(number(e, 'bytes'))}
		</>
	),
	'gossip.message': (e) => (
		<>
			<Peer id={e.peer} /> on <T s={text(e, 'topic')} class="ref" />:{' '}
			{text(e, 'encoding') === 'utf8' ? <T s={text(e, 'data').slice(0, 200)} /> : <>binary data</>}
		</>
	),
	'token.created': (e) => (
		<>
			Token “<T s={text(e, 'name')} />” was created
		</>
	),
	'token.revoked': (e) => (
		<>
			Token “<T s={text(e, 'name')} />” was revoked
		</>
	),
	'audit.write': (e) => (
		<>
			<T s={text(e, 'name') || text(e, 'who')} class="ref" /> at <T s={text(e, 'address')} />: {text(e, 'method')} <T s={text(e, 'path')} />,{' '}
			<T s={text(e, 'status')} />
		</>
	),
	'config.changed': (e) => (
		<>
			<T s={text(e, 'key')} class="ref" /> is now <T s={text(e, 'value')} />
		</>
	),
	'node.health': (e) => (
		<>
			<T s={text(e, 'subsystem')} class="ref" /> is <T s={text(e, 'state')} />
			{text(e, 'reason') && (
				<>
					: <T s={text(e, 'reason')} />
				</>
			)}
		</>
	),
	'node.rates': (e) => (
		<>
			In {bytes(number(e, 'rate_in'))}/s, out {bytes(number(e, 'rate_out'))}/s, {plural(number(e, 'peers'), 'peer')}
		</>
	),
	'log.line': (e) => (
		<>
			<T s={text(e, 'level')} /> <T s={text(e, 'area')} />: <T s={text(e, 'text')} />
		</>
	),
}

const bad = ['hook.dead', 'peer.banned', 'repo.refused', 'repo.sync.failed', 'repo.refs.conflict', 'repo.author.forked']
const good = ['repo.ref.updated', 'repo.added', 'repo.created', 'peer.connected']
export function toneOf(e: NodeEvent): Tone {
	if (bad.includes(e.type) || e.data.state === 'failed' || e.data.state === 'failure') return 'bad'
	return good.includes(e.type) ? 'ok' : 'quiet'
}

const rest = (e: NodeEvent) =>
	Object.entries(e.data)
		.map(([k, v]) => `${k}=${v}`)
		.join(' ')

export const EventLine = ({ e }: { e: NodeEvent }) => <>{lines[e.type]?.(e) ?? <T s={`${e.type} ${rest(e)}`} />}</>

export const EventRow = ({ e, detail }: { e: NodeEvent; detail?: boolean }) => (
	<li class={'event ' + toneOf(e)}>
		<Clock t={e.time} />
		{detail && (
			<span class="event-type">
				<code>{plain(e.type)}</code> {e.id !== undefined ? <span class="quiet">#{e.id}</span> : <span class="quiet">signal</span>}
			</span>
		)}
		<span class="event-text">
			<EventLine e={e} />
		</span>
	</li>
)
