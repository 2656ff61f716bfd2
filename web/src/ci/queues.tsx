// Queues: which pushes make jobs.  They are the node's own; a node without one makes no jobs.
import { useRef, useState } from 'preact/hooks'
import { act, get, repoBase, type Schemas } from '../api'
import { useLive } from '../live'
import { RepoName } from '../names'
import { Field, fields, type FormEvent, Needs, RemoveDialog, useSending, Wrong } from '../parts'
import { canAdmin } from '../session'
import { Ago, num, plain, T } from '../text'
import { Card, Dialog, Empty, Loaded } from '../ui'
import { touchesJobs } from './jobs'

type Queue = Schemas['CiQueue']
const EVENTS = ['push', 'tag'] as const
const POINTERS = ['/branch_filter', '/context', '/events']

function Form({ queue, repo, onDone }: { queue?: Queue; repo?: string; onDone(): void }) {
	const form = useRef<HTMLFormElement>(null)
	const { busy, of, problem, send } = useSending(form, POINTERS)
	const submit = async (e: FormEvent) => {
		const f = fields(e)
		const body = {
			branch_filter: f.branches!.trim() || '*',
			context: f.context!.trim() || 'ci',
			events: EVENTS.filter((x) => f[x] === 'on'),
		}
		const what = queue ? act('PATCH', `/api/v1/ci/queues/${queue.id}`, {}, body) : act('POST', repoBase(repo ?? '') + '/ci/queues', {}, body)
		if (await send(what, queue ? 'Queue changed' : 'From now on pushes make jobs')) onDone()
	}
	return (
		<form ref={form} onSubmit={submit}>
			{problem}
			<Field label="Context" hint="Name of its commit statuses, such as ci/linux" error={of('/context')}>
				{(ids) => <input {...ids} name="context" required maxLength={100} defaultValue={queue?.context ?? 'ci'} spellcheck={false} />}
			</Field>
			<Field label="Branches" hint="Glob, or {glob,glob}" error={of('/branch_filter')}>
				{(ids) => (
					<input {...ids} name="branches" class="mono" maxLength={255} defaultValue={queue?.branch_filter ?? '*'} spellcheck={false} />
				)}
			</Field>
			<fieldset aria-invalid={of('/events') ? true : undefined}>
				<legend>A job for each</legend>
				{EVENTS.map((x) => (
					<label class="check">
						<input type="checkbox" name={x} defaultChecked={(queue?.events ?? ['push']).includes(x)} />{' '}
						{x === 'push' ? 'branch that is made or moved' : 'tag that is made or moved'}
					</label>
				))}
				<Wrong s={of('/events')} />
			</fieldset>
			<footer>
				<button type="button" onClick={onDone}>
					Cancel
				</button>
				<button class="primary" disabled={busy}>
					{queue ? 'Save' : 'Make'}
				</button>
			</footer>
		</form>
	)
}

const Remove = ({ queue, onDone }: { queue: Queue; onDone(): void }) => (
	<RemoveDialog
		what="queue"
		open
		remove={() => act('DELETE', `/api/v1/ci/queues/${queue.id}`)}
		said="Queue removed"
		onRemoved={onDone}
		onClose={onDone}
	>
		Pushes make no more jobs of <T class="strong" s={queue.context} />. The {num(queue.waiting)} that wait end with an error; those that run go
		on.
	</RemoveDialog>
)

type Doing = { what: 'make' } | { what: 'change' | 'remove'; queue: Queue }

const Row = ({ q, named, onDo }: { q: Queue; named: boolean; onDo(d: Doing): void }) => (
	<li>
		<span class="grow">
			<T class="strong" s={q.context} /> {named && <RepoName id={q.repo} />}
			<span class="sub">
				{q.events.join(' and ')} of <T class="mono" s={q.branch_filter} /> · {num(q.waiting)} waiting · made <Ago t={q.created_at} />
			</span>
		</span>
		<span class="buttons">
			<button type="button" class="small" aria-label={`Change queue ${plain(q.context)}`} onClick={() => onDo({ what: 'change', queue: q })}>
				Change…
			</button>
			<button type="button" class="small" aria-label={`Remove queue ${plain(q.context)}`} onClick={() => onDo({ what: 'remove', queue: q })}>
				Remove…
			</button>
		</span>
	</li>
)

export function Queues({ repo }: { repo?: { id: string; path: string } }) {
	const [doing, setDoing] = useState<Doing | undefined>()
	const queues = useLive(
		`queues ${canAdmin.value}`,
		async (s) => (canAdmin.value ? get('/api/v1/ci/queues', { signal: s }) : []),
		touchesJobs(repo?.id),
		1000,
	)
	const done = () => {
		setDoing(undefined)
		queues.reload()
	}
	return (
		<Card
			title="Queues"
			after={
				repo &&
				canAdmin.value && (
					<button type="button" class="small" onClick={() => setDoing({ what: 'make' })}>
						New queue…
					</button>
				)
			}
		>
			<Needs scope="admin">
				<Loaded of={queues}>
					{(all) => {
						const list = all.filter((q) => !repo || q.repo === repo.id)
						if (list.length)
							return (
								<ul class="rows">
									{list.map((q) => (
										<Row key={q.id} q={q} named={!repo} onDo={setDoing} />
									))}
								</ul>
							)
						return (
							<>
								<Empty>Pushes make no jobs yet: that takes a queue.</Empty>
								<pre class="commands" tabIndex={0}>{`guts ci add ${repo ? plain(repo.path) : 'REPO'}`}</pre>
							</>
						)
					}}
				</Loaded>
			</Needs>
			<Dialog title={doing?.what === 'change' ? 'Change the queue' : 'New queue'} open={!!doing && doing.what !== 'remove'} onClose={done}>
				<Form queue={doing && 'queue' in doing ? doing.queue : undefined} repo={repo?.path} onDone={done} />
			</Dialog>
			{doing?.what === 'remove' && <Remove queue={doing.queue} onDone={done} />}
		</Card>
	)
}
