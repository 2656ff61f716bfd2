// Everyone with signed refs in a repository, and each one's own view of it.
import { getRepo, getRepoPage } from '../api'
import { useLive } from '../live'
import { go, repoHref, route } from '../router'
import { Ago, Copy, num, Oid, PeerId, plain, plural, shortPeer, T } from '../text'
import { Pager, Table } from '../parts'
import { Badge, Card, Empty, Loaded } from '../ui'
import type { Of } from './repo'

const SIZE = 50
const touches = (of: Of) => (e: { type: string; repo?: string }) => e.repo === of.repo.id && e.type.startsWith('repo.author')

export function Authors({ of }: { of: Of }) {
	const list = useLive('authors ' + of.repo.id, (s) => getRepo(of.path, '/authors', { signal: s }), touches(of))
	return (
		<Card title="Authors">
			<Loaded of={list}>
				{(all) =>
					all.length ? (
						<Table
							label="Authors"
							rows={all}
							rowKey={(a) => a.id}
							columns={[
								{
									name: 'Key',
									class: 'text wide',
									cell: (a) => (
										<>
											<PeerId id={a.id} /> {a.delegate && <Badge tone="info">delegate</Badge>}{' '}
											{a.forked && (
												<Badge tone="bad" title="Two records that do not descend from one another are known">
													forked
												</Badge>
											)}
										</>
									),
								},
								{
									name: 'Refs',
									class: 'n',
									cell: (a) => (
										<a href={repoHref(of.path, ['authors', a.id])} aria-label={`${plural(a.refs, 'ref')} of ${shortPeer(a.id)}`}>
											{num(a.refs)}
										</a>
									),
								},
								{ name: 'Sequence', class: 'n', cell: (a) => num(a.sequence) },
								{ name: 'Signed', cell: (a) => <Ago t={a.time} /> },
							]}
						/>
					) : (
						<Empty>Nobody has signed a ref yet.</Empty>
					)
				}
			</Loaded>
		</Card>
	)
}

export function AuthorRefs({ of, author }: { of: Of; author: string }) {
	const page = Number(route.value.query.get('page') ?? 1) || 1
	const list = useLive(
		`author ${of.repo.id} ${author} ${page}`,
		(s) => getRepoPage(of.path, '/authors/{peer}/refs', { path: { peer: author }, query: { page, per_page: SIZE }, signal: s }),
		touches(of),
	)
	const url = `${location.origin}/${of.repo.id}/${author}.git`
	return (
		<Card title={`Refs of ${shortPeer(author)}`} after={<a href={repoHref(of.path, ['authors'])}>All authors</a>}>
			<p class="id">
				<span class="quiet">Clone this view:</span> <code class="wrap">{plain(url)}</code>
				<Copy text={url} what="address" />
			</p>
			<Loaded of={list}>
				{({ items, total, more }) => (
					<>
						<p class="quiet">{plural(total < 0 ? items.length : total, 'ref')}</p>
						<Table
							label="Refs"
							rows={items}
							rowKey={(r) => r.ref}
							columns={[
								{ name: 'Ref', class: 'text wide', cell: (r) => <T class="ref" s={r.ref} /> },
								{
									name: 'Object',
									cell: (r) =>
										/^0+$/.test(r.object.sha) ? (
											<Badge>deleted</Badge>
										) : (
											<a href={repoHref(of.path, ['src', r.object.sha])}>
												<Oid id={r.object.sha} copy={false} />
											</a>
										),
								},
								{ name: 'Version', class: 'n', cell: (r) => (r.version === undefined ? '–' : num(r.version)) },
							]}
						/>
						<Pager
							page={page}
							size={SIZE}
							total={total}
							more={more}
							onPage={(p) => go(repoHref(of.path, ['authors', author], '', { page: p }))}
						/>
					</>
				)}
			</Loaded>
		</Card>
	)
}
