// The repositories of this node; new ones.
import { useEffect, useState } from 'preact/hooks'
import { act, get, getPage, type Query, type Repo, type Schemas } from '../api'
import { useLive } from '../live'
import { learn } from '../names'
import { go, href, replace, repoHref, route } from '../router'
import { canWrite } from '../session'
import { Ago, bytes, num, plain, plural, shortPeer, T } from '../text'
import { type Column, Field, fields, type FormEvent, Pager, Search, Table, useBusy, useTyped } from '../parts'
import { Badge, Card, Dialog, Empty, Head, Loaded } from '../ui'

const SIZE = 50

export const pathOf = (r: Repo) => (r.shadowed ? r.id : r.full_name)

export const SyncBadge = ({ repo }: { repo: Repo }) =>
	repo.last_error ? (
		<Badge tone="bad" title={plain(repo.last_error)}>
			failed
		</Badge>
	) : repo.syncing ? (
		<Badge tone="info">syncing</Badge>
	) : (
		<Badge tone="ok">current</Badge>
	)

const COLUMNS: Column<Repo>[] = [
	{
		name: 'Name',
		sort: 'name',
		class: 'text wide',
		cell: (r) => (
			<>
				<a href={repoHref(pathOf(r))} class="strong">
					<T s={r.name} />
				</a>{' '}
				{r.private && <Badge>private</Badge>} {r.archived && <Badge tone="warn">archived</Badge>}{' '}
				{r.shadowed && (
					<Badge tone="warn" title="Its owner and name belong to another repository here; it answers under its id.">
						shadowed
					</Badge>
				)}
				{r.description && <T class="sub clamp" s={r.description} />}
			</>
		),
	},
	{
		name: 'Owner',
		cell: (r) =>
			r.owner.login === r.owner.id ? <code title={plain(r.owner.id)}>{shortPeer(r.owner.id)}</code> : <T s={r.owner.login} />,
	},
	{ name: 'State', cell: (r) => <SyncBadge repo={r} /> },
	{ name: 'Branches', class: 'n', cell: (r) => num(r.branches) },
	{ name: 'Seeders', sort: 'seeders', class: 'n', cell: (r) => num(r.seeders) },
	{ name: 'Size', sort: 'size', class: 'n', cell: (r) => bytes(r.size_bytes) },
	{ name: 'Pushed', sort: 'updated', cell: (r) => <Ago t={r.pushed_at} /> },
]

function Create({ onDone }: { onDone(): void }) {
	const [busy, run] = useBusy()
	const submit = async (e: FormEvent) => {
		const f = fields(e)
		const body = {
			name: f.name,
			description: f.description || undefined,
			default_branch: f.branch || undefined,
			private: f.private === 'on',
		}
		let made: Repo | undefined
		if (
			await run(
				act<Repo>('POST', '/api/v1/repos', {}, body).then((r) => (made = r)),
				'Created',
			)
		) {
			onDone()
			learn([made!])
			go(repoHref(pathOf(made!)))
		}
	}
	return (
		<form onSubmit={submit}>
			<Field label="Name" hint="Letters, digits, dot, dash, underscore">
				{(ids) => (
					<input
						{...ids}
						name="name"
						required
						maxLength={100}
						pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
						autocomplete="off"
						spellcheck={false}
					/>
				)}
			</Field>
			<Field label="Description">{(ids) => <input {...ids} name="description" maxLength={1024} />}</Field>
			<Field label="Default branch">
				{(ids) => <input {...ids} name="branch" placeholder="main" maxLength={255} spellcheck={false} />}
			</Field>
			<label class="check">
				<input type="checkbox" name="private" /> Private: only named readers learn of it
			</label>
			<footer>
				<button type="button" onClick={onDone}>
					Cancel
				</button>
				<button class="primary" disabled={busy}>
					Create
				</button>
			</footer>
		</form>
	)
}

// An import runs as a job; its progress comes as signals, its end as a fact.
function ImportJob({ id, onDone }: { id: number; onDone(): void }) {
	const job = useLive(
		'job ' + id,
		(s) => get('/api/v1/jobs/{job}', { path: { job: String(id) }, signal: s }),
		(e) => e.type.startsWith('job.') && Number(e.data.job) === id,
		200,
	)
	return (
		<Loaded of={job}>
			{(j) => (
				<>
					<p role="status">
						{j.state === 'running' ? (
							<>
								<progress aria-label="Importing" value={j.objects_total ? j.objects : undefined} max={j.objects_total || 1} />{' '}
								Importing: <T s={j.phase ?? ''} /> {plural(j.objects ?? 0, 'object')}
								{j.objects_total ? ` of ${plural(j.objects_total, 'object')}` : ''}, {bytes(j.bytes ?? 0)}
							</>
						) : j.state === 'done' ? (
							'Imported.'
						) : (
							<span class="bad">
								Failed: <T s={j.error ?? 'no reason given'} />
							</span>
						)}
					</p>
					{j.state === 'running' && <progress aria-label="Import" />}
					<footer>
						{j.state === 'done' && j.repo && (
							<a class="button primary" href={repoHref(j.repo)}>
								Open it
							</a>
						)}
						<button type="button" onClick={onDone}>
							Close
						</button>
					</footer>
				</>
			)}
		</Loaded>
	)
}

function Import({ onDone }: { onDone(): void }) {
	const [busy, run] = useBusy()
	const [job, setJob] = useState(0)
	const submit = async (e: FormEvent) => {
		const f = fields(e)
		const source = f.path?.includes('://') ? { url: f.path } : { path: f.path }
		const body = { ...source, name: f.name || undefined, description: f.description || undefined }
		await run(startImport(body).then(setJob))
	}
	if (job) return <ImportJob id={job} onDone={onDone} />
	return (
		<form onSubmit={submit}>
			<Field
				label="Folder or address"
				hint="Absolute path on the node's machine of a git repository or its work tree, or an http, https or git address to clone"
			>
				{(ids) => (
					<input {...ids} name="path" required maxLength={4095} class="mono" placeholder="/home/me/project" spellcheck={false} />
				)}
			</Field>
			<Field label="Name" hint="Default: the last part of path or address">
				{(ids) => <input {...ids} name="name" maxLength={100} pattern="[A-Za-z0-9][A-Za-z0-9._\-]*" spellcheck={false} />}
			</Field>
			<Field label="Description">{(ids) => <input {...ids} name="description" maxLength={1024} />}</Field>
			<footer>
				<button type="button" onClick={onDone}>
					Cancel
				</button>
				<button class="primary" disabled={busy}>
					Import
				</button>
			</footer>
		</form>
	)
}

const startImport = async (body: unknown) => (await act<Schemas['Job']>('POST', '/api/v1/repos/import', {}, body)).id

export function Repos() {
	const q = route.value.query
	const sort = q.get('sort') ?? 'name'
	const page = Number(q.get('page') ?? 1) || 1
	const making = q.get('new') ?? ''
	const set = (next: Query) => replace(href(['repos'], { q: q.get('q') ?? '', sort, ...next } as Record<string, string | number>))
	const [typed, type] = useTyped(q.get('q') ?? '', (v) => set({ q: v }))
	const query = { q: q.get('q') ?? undefined, sort, page, per_page: SIZE }
	const repos = useLive(
		'repos ' + JSON.stringify(query),
		(s) => getPage('/api/v1/repos', { query, signal: s }),
		(e) => e.type.startsWith('repo.'),
		600,
	)
	useEffect(() => repos.data && learn(repos.data.items), [repos.data])
	return (
		<>
			<Head
				text="Repositories"
				after={
					canWrite.value && (
						<span class="buttons">
							<button type="button" class="primary" onClick={() => set({ new: 'create' })}>
								Create…
							</button>
							<button type="button" onClick={() => set({ new: 'import' })}>
								Import…
							</button>
						</span>
					)
				}
			/>
			<Card>
				<div class="bar">
					<Search label="Name, description, owner or id" value={typed} onInput={type} />
					<span class="quiet" role="status">
						{repos.data &&
							plural(repos.data.total < 0 ? repos.data.items.length : repos.data.total, 'repository', 'repositories')}
					</span>
				</div>
				<Loaded of={repos}>
					{({ items, total, more }) => (
						<>
							{items.length ? (
								<Table
									label="Repositories"
									columns={COLUMNS}
									rows={items}
									rowKey={(r) => r.id}
									sort={sort}
									onSort={(by) => set({ sort: by })}
								/>
							) : (
								<Empty>{query.q ? 'No repository is like that.' : 'No repository yet.'}</Empty>
							)}
							<Pager page={page} size={SIZE} total={total} more={more} onPage={(p) => set({ page: p })} />
						</>
					)}
				</Loaded>
			</Card>
			<Dialog title="Create a repository" open={making === 'create'} onClose={() => set({ new: undefined })}>
				{canWrite.value ? (
					<Create onDone={() => set({ new: undefined })} />
				) : (
					<p>
						This needs the right write: <a href="#/login">log in</a>.
					</p>
				)}
			</Dialog>
			<Dialog title="Import a repository" open={making === 'import'} onClose={() => set({ new: undefined })}>
				<Import onDone={() => set({ new: undefined })} />
			</Dialog>
		</>
	)
}
