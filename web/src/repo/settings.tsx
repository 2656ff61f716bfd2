// What its delegates may change about a repository, and removing it from this node.
import { useState } from 'preact/hooks'
import { actRepo, type Repo } from '../api'
import { pathOf } from '../pages/repos'
import { go, repoHref } from '../router'
import { canAdmin } from '../session'
import { T } from '../text'
import { Field, fields, type FormEvent, Needs, RemoveDialog, useBusy } from '../parts'
import { Card } from '../ui'
import { Checks, NoDelegate } from './checks'
import type { Of } from './repo'

function Edit({ of }: { of: Of }) {
	const { repo, path } = of
	const [busy, run] = useBusy()
	const submit = async (e: FormEvent) => {
		const f = fields(e)
		const body = {
			name: f.name,
			description: f.description,
			default_branch: f.branch,
			archived: f.archived === 'on',
			signers: f.signers!.split(/\s+/).filter(Boolean),
			readers: f.readers!.split(/\s+/).filter(Boolean),
		}
		const before = {
			name: repo.name,
			description: repo.description,
			default_branch: repo.default_branch,
			archived: repo.archived,
			signers: repo.signers,
			readers: repo.readers,
		}
		const changed = Object.entries(body).filter(
			([k, v]) => JSON.stringify(v) !== JSON.stringify(before[k as keyof typeof before]),
		)
		if (!changed.length) return
		let now: Repo | undefined
		if (
			await run(
				actRepo<Repo>('PATCH', path, '', Object.fromEntries(changed)).then((r) => (now = r)),
				'A new version was signed',
			)
		)
			if (now && pathOf(now) !== path) go(repoHref(pathOf(now), ['settings']))
	}
	if (!repo.permissions.admin) return <NoDelegate />
	return (
		<Needs scope="write">
			<form onSubmit={submit} key={repo.identity_version}>
				<Field label="Name">
					{(ids) => <input {...ids} name="name" required maxLength={100} defaultValue={repo.name} spellcheck={false} />}
				</Field>
				<Field label="Description">
					{(ids) => <input {...ids} name="description" maxLength={1024} defaultValue={repo.description} />}
				</Field>
				<Field label="Default branch">
					{(ids) => (
						<input {...ids} name="branch" required maxLength={255} defaultValue={repo.default_branch} spellcheck={false} />
					)}
				</Field>
				<Field label="Status signers" hint="Peer ids, one per line: whose commit statuses count beside the delegates'">
					{(ids) => (
						<textarea {...ids} name="signers" rows={3} class="mono" defaultValue={repo.signers.join('\n')} spellcheck={false} />
					)}
				</Field>
				<Field label="Readers" hint="Peer ids, one per line: who may have it, beside the delegates, while it is private">
					{(ids) => (
						<textarea {...ids} name="readers" rows={3} class="mono" defaultValue={repo.readers.join('\n')} spellcheck={false} />
					)}
				</Field>
				<label class="check">
					<input type="checkbox" name="archived" defaultChecked={repo.archived} /> Archived: asks all seeders to drop it
				</label>
				<footer>
					<button class="primary" disabled={busy}>
						Sign a new version
					</button>
				</footer>
			</form>
		</Needs>
	)
}

function Remove({ of }: { of: Of }) {
	const [open, setOpen] = useState(false)
	return (
		<>
			<p>Its data on this node is deleted, and it is blocked so that it does not come back. Other nodes keep theirs.</p>
			{canAdmin.value ? (
				<p class="buttons">
					<button type="button" class="danger" onClick={() => setOpen(true)}>
						Remove from this node…
					</button>
				</p>
			) : (
				<Needs scope="admin">{null}</Needs>
			)}
			<RemoveDialog
				what="repository"
				open={open}
				remove={() => actRepo('DELETE', of.path)}
				said="Removed"
				onRemoved={() => go('#/repos')}
				onClose={() => setOpen(false)}
			>
				Remove <T class="strong" s={of.repo.name} /> from this node? What no other node has is lost.
			</RemoveDialog>
		</>
	)
}

export const RepoSettings = ({ of }: { of: Of }) => (
	<>
		<Card title="Identity">
			<Edit of={of} />
		</Card>
		<Checks of={of} />
		<Card title="Remove">
			<Remove of={of} />
		</Card>
	</>
)
