// Making and changing a webhook.  Its secrets are written, never shown.
import { useRef, useState } from 'preact/hooks'
import { act, repoBase, type Schemas } from '../api'
import { Field, fields, type FormEvent, useSending, Wrong } from '../parts'
import { plain, T } from '../text'
import { Dialog } from '../ui'

export type Hook = Schemas['Hook']

const EVENTS = ['push', 'create', 'delete', 'status', 'repository', 'repo.sync.failed', 'repo.sync.progress']
const NODE_EVENTS = [...EVENTS, 'peer.connected', 'peer.disconnected', 'peer.banned', 'peer.lifted', 'peer.penalized', 'gossip.message']
const SIGNALS = ['repo.sync.progress', 'peer.penalized'] // frequent, and so not among "all"
const POINTERS = ['/config/url', '/config/secret', '/events', '/branch_filter', '/authorization_header']

const FORMATS = [
	['github', 'GitHub'],
	['gitea', 'Gitea'],
	['cloudevents', 'CloudEvents'],
] as const

// `repo`: id of the repository, none = node-wide.
export const hookPath = (id?: number, repo?: string | null) =>
	(repo ? repoBase(repo) : '/api/v1') + '/hooks' + (id === undefined ? '' : `/${id}`)

function Events({ of, options, error }: { of: string[]; options: string[]; error?: string }) {
	const [all, setAll] = useState(of.includes('*'))
	return (
		<fieldset aria-invalid={error ? true : undefined}>
			<legend>Events</legend>
			<label class="check">
				<input type="checkbox" name="all" checked={all} onChange={(e) => setAll(e.currentTarget.checked)} /> all
			</label>
			{options.map((name) => (
				<label class="check">
					<input type="checkbox" name={'on ' + name} defaultChecked={of.includes(name)} disabled={all && !SIGNALS.includes(name)} />{' '}
					<T s={name} />
				</label>
			))}
			<small class="hint">
				“all” is without {options.filter((name) => SIGNALS.includes(name)).join(' and ')}, which may come once a second; they can be chosen
				beside it.
			</small>
			<Wrong s={error} />
		</fieldset>
	)
}

// A text that is never shown again: empty leaves it as it is.
function Secret({ name, label, hint, has, error }: { name: string; label: string; hint: string; has: boolean; error?: string }) {
	const [none, setNone] = useState(false)
	return (
		<>
			<Field label={label} hint={hint} error={error}>
				{(ids) => (
					<input
						{...ids}
						name={name}
						type="password"
						class="mono"
						maxLength={name === 'secret' ? 255 : 1024}
						autocomplete="new-password"
						placeholder={has ? 'as it is' : 'none'}
						disabled={none}
					/>
				)}
			</Field>
			{has && (
				<label class="check removal">
					<input type="checkbox" name={'no ' + name} checked={none} onChange={(e) => setNone(e.currentTarget.checked)} /> Remove it
				</label>
			)}
		</>
	)
}

function body(f: Record<string, string>, options: string[]) {
	const chosen = options.filter((name) => f['on ' + name] === 'on' && (f.all !== 'on' || SIGNALS.includes(name)))
	const secret = (name: string) => (f['no ' + name] === 'on' ? '' : f[name] || undefined)
	return {
		type: f.type,
		active: f.active === 'on',
		events: f.all === 'on' ? ['*', ...chosen] : chosen,
		config: { url: f.url!.trim(), secret: secret('secret'), insecure_ssl: f.insecure === 'on' ? '1' : '0' },
		branch_filter: f.branches!.trim() || '*',
		authorization_header: secret('authorization'),
		all_authors: f.authors === 'on',
	}
}

function Form({ hook, repo, onDone }: { hook?: Hook; repo?: string | null; onDone(made?: Hook): void }) {
	const form = useRef<HTMLFormElement>(null)
	const { busy, of, problem, send } = useSending(form, POINTERS)
	const events = hook?.events ?? ['push']
	const options = [...new Set([...(repo ? EVENTS : NODE_EVENTS), ...events])].filter((name) => name !== '*')
	const submit = async (e: FormEvent) => {
		const what = body(fields(e), options)
		const made = act<Hook>(hook ? 'PATCH' : 'POST', hookPath(hook?.id, repo), {}, what)
		if (await send(made, hook ? 'Webhook changed' : 'Webhook made')) onDone(await made)
	}
	return (
		<form ref={form} onSubmit={submit}>
			{problem}
			<Field label="URL" hint="http or https; redirects are not followed" error={of('/config/url')}>
				{(ids) => (
					<input {...ids} name="url" class="mono" required maxLength={2048} defaultValue={hook?.config.url} autocomplete="off" spellcheck={false} />
				)}
			</Field>
			<Field label="Format">
				{(ids) => (
					<select {...ids} name="type">
						{FORMATS.map(([v, text]) => (
							<option value={v} selected={v === (hook?.type ?? 'github')}>
								{text}
							</option>
						))}
					</select>
				)}
			</Field>
			<Events of={events} options={options} error={of('/events')} />
			<Field label="Branches" hint="Glob, or {glob,glob}; of push, create and delete" error={of('/branch_filter')}>
				{(ids) => (
					<input {...ids} name="branches" class="mono" maxLength={255} defaultValue={plain(hook?.branch_filter ?? '*')} spellcheck={false} />
				)}
			</Field>
			<Secret name="secret" label="Secret" hint="Signs each delivery; never shown again" has={!!hook?.config.secret} error={of('/config/secret')} />
			<Secret
				name="authorization"
				label="Authorization"
				hint="Value of that header, such as Bearer …; never shown again"
				has={!!hook?.has_authorization_header}
				error={of('/authorization_header')}
			/>
			<label class="check">
				<input type="checkbox" name="active" defaultChecked={hook?.active ?? true} /> Active
			</label>
			<label class="check">
				<input type="checkbox" name="authors" defaultChecked={hook?.all_authors} /> Also other authors' refs, and statuses that do not
				count
			</label>
			<label class="check">
				<input type="checkbox" name="insecure" defaultChecked={hook?.config.insecure_ssl === '1'} /> Any TLS certificate will do
			</label>
			<footer>
				<button type="button" onClick={() => onDone()}>
					Cancel
				</button>
				<button class="primary" disabled={busy}>
					{hook ? 'Save' : 'Make'}
				</button>
			</footer>
		</form>
	)
}

export const HookDialog = ({ open, ...form }: { open: boolean; hook?: Hook; repo?: string | null; onDone(made?: Hook): void }) => (
	<Dialog title={form.hook ? 'Change the webhook' : form.repo ? 'New webhook' : 'New node-wide webhook'} open={open} onClose={() => form.onDone()}>
		<Form {...form} />
	</Dialog>
)
