// Rules that peers may break: what each costs, where it ends, and how often it was broken.
import { get, type Schemas } from '../api'
import { useLive } from '../live'
import { type Column, Table } from '../parts'
import { Ago, num, plain, plural, span, T } from '../text'
import { Badge, Card, Empty, Facts, Loaded, type Tone } from '../ui'

type Offence = Schemas['Offence']
type Standing = Schemas['Standing']

const ENDS: Record<Offence['ends'], Tone> = { message: 'quiet', stream: 'info', link: 'warn', ban: 'bad' }

const columns: Column<Offence>[] = [
	{ name: 'Rule', cell: (o) => <code>{plain(o.name)}</code> },
	{ name: 'Meaning', class: 'text wide', cell: (o) => <T s={o.reason} /> },
	{ name: 'Points', class: 'n', cell: (o) => (o.points ? num(o.points) : <span class="quiet">only counted</span>) },
	{ name: 'Ends the', cell: (o) => <Badge tone={ENDS[o.ends] ?? 'quiet'}>{plain(o.ends)}</Badge> },
	{ name: 'First ban', class: 'n', cell: (o) => (o.points ? span(o.ban_seconds) : '–') },
	{ name: 'Broken', class: 'n', cell: (o) => (o.count ? <strong>{num(o.count)}</strong> : <span class="quiet">0</span>) },
	{ name: 'Last', cell: (o) => <Ago t={o.last_at} /> },
]

export function Offences() {
	const table = useLive(
		'offences',
		(signal) => get('/api/v1/offences', { signal }),
		(e) => e.type.startsWith('peer.') || e.type === 'node.rates',
		3000,
	)
	return (
		<Card title="Rules, the most broken first">
			<Loaded of={table}>
				{(list) => (
					<Table label="Offences" columns={columns} rows={[...list].sort((a, b) => b.count - a.count)} rowKey={(o) => o.name} />
				)}
			</Loaded>
			<p class="hint">
				Points add up and fade by one every six seconds. At 100 a peer is banned, each time twice as long as the last. A ban is lifted
				by hand on the page of the peer.
			</p>
		</Card>
	)
}

// How one peer behaves.
export const Conduct = ({ s }: { s: Standing }) => (
	<Card title="Conduct" after={<Badge tone={s.score < 0 ? 'warn' : 'ok'}>{num(s.score)}</Badge>}>
		<Facts
			rows={[
				['Points', s.score < 0 ? `${num(-s.score)} of 100 that have not faded` : 'none'],
				['Bans so far', num(s.bans)],
				['Was useful', plural(s.useful, 'time')],
			]}
		/>
		{s.offences.length ? (
			<Table
				label="Offences of this peer"
				rows={s.offences}
				rowKey={(o) => o.name}
				columns={[
					{ name: 'Rule', cell: (o) => <code>{plain(o.name)}</code> },
					{ name: 'Meaning', class: 'text', cell: (o) => <T s={o.reason} /> },
					{ name: 'Times', class: 'n', cell: (o) => num(o.count) },
					{ name: 'Points', class: 'n', cell: (o) => num(o.points) },
					{ name: 'Last', cell: (o) => <Ago t={o.last_at} /> },
				]}
			/>
		) : (
			<Empty>It broke no rule.</Empty>
		)}
	</Card>
)
