// Names of repositories that this tab has met, by id: events carry ids.
import { signal } from '@preact/signals'
import { getPage, type NodeEvent, type Repo } from './api'
import { epoch, listen } from './live'
import { repoHref } from './router'
import { plain, shortPeer, shortRepo, T } from './text'

export interface Known {
	path: string // for addresses: "owner/name", or the id where that is another one's
	owner: string
	name: string
}
export const known = signal<ReadonlyMap<string, Known>>(new Map())

const pathOf = (r: Repo) => (r.shadowed ? r.id : r.full_name)

export function learn(repos: Repo[]) {
	const next = new Map(known.value)
	for (const r of repos) next.set(r.id, { path: pathOf(r), owner: r.owner.id, name: r.name })
	known.value = next
}

async function load() {
	try {
		for (let page = 1; page <= 5; page++) {
			const some = await getPage('/api/v1/repos', { query: { page, per_page: 100, sort: '-updated' } })
			learn(some.items)
			if (!some.more) break
		}
	} catch {
		// Ids are shown instead.
	}
}

const named = ['repo.created', 'repo.added', 'repo.updated']
export function startNames() {
	let timer = 0
	listen((events, old) => {
		if (!old && !timer && events.some((e: NodeEvent) => named.includes(e.type)))
			timer = setTimeout(() => ((timer = 0), void load()), 500) as unknown as number
	})
	epoch.subscribe(() => void load())
}

export function RepoName({ id }: { id: string }) {
	const k = known.value.get(id)
	return (
		<a href={repoHref(k?.path ?? id)} title={plain(id)}>
			{k ? <T s={k.name} /> : <code>{shortRepo(id)}</code>}
		</a>
	)
}

export const RepoTitle = ({ repo }: { repo: Repo }) => (
	<>
		<span class="quiet" title={plain(repo.owner.id)}>
			{repo.owner.login === repo.owner.id ? shortPeer(repo.owner.id) : <T s={repo.owner.login} />} /{' '}
		</span>
		<T s={repo.name} />
	</>
)
