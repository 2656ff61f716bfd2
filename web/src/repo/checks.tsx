// What a branch must have passed, and the badge that says how it stands.
import { useRef, useState } from 'preact/hooks'
import { actRepo, getRepo, repoBase, type Schemas } from '../api'
import { useLive } from '../live'
import { Field, fields, type FormEvent, Needs, Select, useSending } from '../parts'
import { canWrite } from '../session'
import { Copy, plain, T } from '../text'
import { Badge, Card } from '../ui'
import { cloneUrl, movesRefs, type Of } from './repo'

export const NoDelegate = () => <p>Only a delegate of this repository can sign a new version; this node's key is none.</p>

const TONES = { success: 'ok', pending: 'warn', failure: 'bad', error: 'bad' } as const

// Contexts that statuses of the newest commit of the default branch have.
function useContexts(of: Of) {
	const sha = of.repo.head
	const statuses = useLive(
		`contexts ${of.repo.id} ${sha}`,
		async (signal): Promise<Schemas['CommitStatus'][]> =>
			sha ? getRepo(of.path, '/commits/{sha}/statuses', { path: { sha }, query: { per_page: 100 }, signal }) : [],
		(e) => e.type === 'status.created' && e.data.commit === sha,
	)
	return [...new Set(statuses.data?.map((s) => s.context))]
}

// How the required ones stand on the default branch.
function Standing({ of }: { of: Of }) {
	const { repo, path } = of
	const branch = useLive(
		`standing ${repo.id} ${repo.default_branch} ${repo.required_contexts.join('\n')}`,
		async (signal) => (repo.head ? getRepo(path, '/branches/{branch}', { path: { branch: repo.default_branch }, signal }) : undefined),
		(e) => movesRefs(repo)(e) || (e.type === 'status.created' && e.repo === repo.id),
	)
	const list = branch.data?.required_contexts ?? []
	if (!list.length) return null
	return (
		<ul class="rows">
			{list.map((c) => (
				<li>
					<T class="grow mono" s={c.context} />
					<Badge tone={c.state ? TONES[c.state] : 'warn'}>{c.state ?? 'missing'}</Badge>
				</li>
			))}
		</ul>
	)
}

function Required({ of, seen }: { of: Of; seen: string[] }) {
	const { repo, path } = of
	const form = useRef<HTMLFormElement>(null)
	const text = useRef<HTMLTextAreaElement>(null)
	const { busy, of: wrong, problem, send } = useSending(form, ['/required_contexts', '/gated_branches'])
	const submit = (e: FormEvent) => {
		const { contexts, gates } = fields(e)
		const lines = (text: string) => text.split(/\s*\n\s*/).filter(Boolean)
		void send(
			actRepo('PATCH', path, '', { required_contexts: lines(contexts!), gated_branches: lines(gates!) }),
			'A new version was signed',
		)
	}
	const add = (context: string) => {
		const t = text.current!
		const lines = t.value.split('\n').filter(Boolean)
		if (!lines.includes(context)) t.value = [...lines, context].join('\n')
		t.focus()
	}
	const missing = seen.filter((c) => !repo.required_contexts.includes(c))
	if (!repo.permissions.admin) return <NoDelegate />
	return (
		<form ref={form} onSubmit={submit} key={repo.identity_version}>
			{problem}
			<Field
				label="Required contexts"
				hint="Commit statuses, one per line: a branch without their success is marked; a delegate signs the list"
				error={wrong('/required_contexts')}
			>
				{(ids) => (
					<textarea {...ids} ref={text} name="contexts" rows={3} class="mono" defaultValue={repo.required_contexts.join('\n')} spellcheck={false} />
				)}
			</Field>
			{canWrite.value && missing.length > 0 && (
				<p class="buttons wrapping">
					{missing.map((c) => (
						<button type="button" class="small" aria-label={`Add ${plain(c)}`} onClick={() => add(c)}>
							+ {plain(c)}
						</button>
					))}
				</p>
			)}
			<Field
				label="Gated branches"
				hint="One per line, * at the end for any rest: what is pushed there waits in candidates/ until the contexts above have succeeded, then the branch moves by itself"
				error={wrong('/gated_branches')}
			>
				{(ids) => (
					<textarea {...ids} name="gates" rows={2} class="mono" defaultValue={repo.gated_branches.join('\n')} spellcheck={false} />
				)}
			</Field>
			<footer>
				<button class="primary" disabled={busy}>
					Sign the lists
				</button>
			</footer>
		</form>
	)
}

function BadgeOf({ of, seen }: { of: Of; seen: string[] }) {
	const { repo, path } = of
	const contexts = [...new Set([...repo.required_contexts, ...seen])]
	const [context, setContext] = useState('')
	const query = context ? `?context=${encodeURIComponent(context)}` : ''
	const picture = `${repoBase(path)}/badge.svg${query}`
	const base = new URL(cloneUrl(repo)).origin
	// What Markdown would take for its own is spelled out.
	const name = (context || 'checks').replace(/[^\w ./-]/g, '')
	const link = `${base}/#/r/${path.split('/').map(encodeURIComponent).join('/')}/ci`
	const markdown = `[![${name}](${base}${picture})](${link})`
	return (
		<>
			<p class="bar plain">
				<Select
					label="Context of the badge"
					value={context}
					options={[['', 'all that count'], ...contexts.map((c) => [c, plain(c)] as const)]}
					onChange={setContext}
				/>
				<img src={picture} alt={`Badge of ${plain(context) || 'all contexts'}`} height={20} />
			</p>
			<pre class="commands wrap tall" tabIndex={0} role="region" aria-label="Markdown of the badge">
				{markdown}
			</pre>
			<p class="id">
				<Copy text={markdown} what="Markdown" /> <span class="quiet">for a README</span>
			</p>
		</>
	)
}

export function Checks({ of }: { of: Of }) {
	const seen = useContexts(of)
	return (
		<>
			<Card title="Required checks">
				<Standing of={of} />
				<Needs scope="write">
					<Required of={of} seen={seen} />
				</Needs>
			</Card>
			<Card title="Badge">
				<BadgeOf of={of} seen={seen} />
			</Card>
		</>
	)
}
