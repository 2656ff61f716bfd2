// Peers that the DHT names, with their addresses.
import type { Schemas } from '../api'
import { Addr, Table } from '../parts'
import { PeerId } from '../text'

type Contact = Schemas['DhtContact']

export const Addresses = ({ of }: { of: string[] }) =>
	of.length ? (
		<>
			{of.map((s) => (
				<div key={s}>
					<Addr s={s} />
				</div>
			))}
		</>
	) : (
		<span class="quiet">none told</span>
	)

export const Contacts = ({ label, list }: { label: string; list: Contact[] }) => (
	<Table<Contact>
		label={label}
		rows={list}
		rowKey={(c) => c.peer}
		columns={[
			{ name: 'Peer', cell: (c) => <PeerId id={c.peer} /> },
			{ name: 'Addresses', class: 'text wide', cell: (c) => <Addresses of={c.addresses} /> },
		]}
	/>
)
