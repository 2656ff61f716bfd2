// Branches and tags: what delegates signed, and whose value counts.
import { getRepoPage, repoBase, type Schemas } from '../api'
import { useLive } from '../live'
import { go, repoHref, route } from '../router'
import { Oid, PeerId, T } from '../text'
import { type Column, Pager, Table } from '../parts'
import { Badge, Card, Empty, Loaded } from '../ui'
import { movesRefs, type Of } from './repo'

const SIZE = 50
type Branch = Schemas['Branch']
type Tag = Schemas['Tag']

const signer = { name: 'Signed by', cell: (r: { signer?: string }) => (r.signer ? <PeerId id={r.signer} copy={false} /> : '–') }

function Archives({ of, name }: { of: Of; name: string }) {
	const to = `${repoBase(of.path)}/archive/${name.split('/').map(encodeURIComponent).join('/')}`
	return (
		<>
			<a href={`${to}.tar.gz`} download>
				tar.gz
			</a>{' '}
			<a href={`${to}.zip`} download>
				zip
			</a>
		</>
	)
}

// Branches of commits that wait for their checks: candidates/main for main.
const CANDIDATES = 'candidates/'

const contexts = (b: Branch) => b.required_contexts?.map((c) => `${c.context}: ${c.state ?? 'missing'}`).join(', ')

const branchColumns = (of: Of): Column<Branch>[] => [
	{
		name: 'Branch',
		class: 'text wide',
		cell: (b) => (
			<>
				<a class="strong" href={repoHref(of.path, ['src', b.name])}>
					<T s={b.name} />
				</a>{' '}
				{b.default && <Badge tone="info">default</Badge>}{' '}
				{b.protected && (
					<Badge tone="info" title="It moves only to commits that have the required contexts">
						gated
					</Badge>
				)}{' '}
				{b.name.startsWith(CANDIDATES) && (
					<span class="quiet">
						waits for <T s={b.name.slice(CANDIDATES.length)} />
					</span>
				)}{' '}
				{b.conflict && (
					<Badge tone="warn" title="Another delegate's value lost">
						conflict
					</Badge>
				)}{' '}
				{b.checks && (
					<a href={repoHref(of.path, ['commit', b.commit.sha])}>
						<Badge tone={b.checks === 'success' ? 'ok' : b.checks === 'failure' ? 'bad' : 'warn'} title={contexts(b)}>
							{b.checks === 'success' ? 'checks passed' : b.checks === 'failure' ? 'checks failed' : 'checks missing'}
						</Badge>
					</a>
				)}
			</>
		),
	},
	{
		name: 'Commit',
		cell: (b) => (
			<a href={repoHref(of.path, ['commit', b.commit.sha])}>
				<Oid id={b.commit.sha} copy={false} />
			</a>
		),
	},
	signer,
	{ name: 'Archive', cell: (b) => <Archives of={of} name={b.name} /> },
	{
		name: 'History',
		cell: (b) => (
			<>
				<a href={repoHref(of.path, ['commits', b.name])}>Commits</a> <a href={repoHref(of.path, ['ci'], '', { branch: b.name })}>Jobs</a>
			</>
		),
	},
]

const tagColumns = (of: Of): Column<Tag>[] => [
	{
		name: 'Tag',
		class: 'text wide',
		cell: (t) => (
			<a class="strong" href={repoHref(of.path, ['src', t.name])}>
				<T s={t.name} />
			</a>
		),
	},
	{
		name: 'Commit',
		cell: (t) =>
			t.commit.sha ? (
				<a href={repoHref(of.path, ['commit', t.commit.sha])}>
					<Oid id={t.commit.sha} copy={false} />
				</a>
			) : (
				'–'
			),
	},
	signer,
	{ name: 'Archive', cell: (t) => <Archives of={of} name={t.name} /> },
]

function List<Row extends { name: string }>({
	of,
	what,
	word,
	columns,
}: {
	of: Of
	what: '/branches' | '/tags'
	word: string
	columns: Column<Row>[]
}) {
	const q = route.value.query
	const page = Number(q.get(word) ?? 1) || 1
	const list = useLive(
		`${what} ${of.repo.id} ${page}`,
		(s) => getRepoPage(of.path, what, { query: { page, per_page: SIZE }, signal: s }),
		movesRefs(of.repo),
	)
	return (
		<Card title={word}>
			<Loaded of={list}>
				{({ items, total, more }) => (
					<>
						{items.length ? (
							<Table label={word} columns={columns} rows={items as unknown as Row[]} rowKey={(r) => r.name} />
						) : (
							<Empty>None.</Empty>
						)}
						<Pager
							page={page}
							size={SIZE}
							total={total}
							more={more}
							onPage={(p) => go(repoHref(of.path, ['refs'], '', { ...Object.fromEntries(q), [word]: p }))}
						/>
					</>
				)}
			</Loaded>
		</Card>
	)
}

export const Refs = ({ of }: { of: Of }) => (
	<>
		<List of={of} what="/branches" word="Branches" columns={branchColumns(of)} />
		<List of={of} what="/tags" word="Tags" columns={tagColumns(of)} />
	</>
)
