// Who keeps this repository, what this node does about it, and fetching now.
import { useState } from 'preact/hooks'
import { actRepo, get, getRepo, type Schemas } from '../api'
import { useLive } from '../live'
import { Contacts } from '../pages/contacts'
import { href } from '../router'
import { canAdmin, canRead, canWrite } from '../session'
import { Ago, num, PeerId } from '../text'
import { Needs, Select, Table, useBusy } from '../parts'
import { Badge, Card, Empty, Facts, Loaded } from '../ui'
import type { Of } from './repo'

type Policy = Schemas['Policy']

// Who has it beyond the peers of this node: asked of the DHT only when somebody wants to know.
function Providers({ id }: { id: string }) {
	const [found, set] = useState<Schemas['DhtContact'][] | undefined>()
	const [busy, run] = useBusy()
	const ask = () => run(get('/api/v1/dht/providers/{id}', { path: { id } }).then(set))
	return (
		<Card
			title="Providers in the DHT"
			after={
				<span class="bar plain">
					<a href={href(['dht'], { target: id })}>With its hops</a>
					<button type="button" class="small" disabled={busy} onClick={ask}>
						{busy ? 'Asking…' : 'Ask'}
					</button>
				</span>
			}
		>
			{found?.length ? (
				<Contacts label="Providers" list={found} />
			) : (
				<Empty>{found ? 'Nobody else provides it.' : 'Other nodes that say in the DHT that they have it.'}</Empty>
			)}
		</Card>
	)
}

export function Network({ of }: { of: Of }) {
	const { repo, path } = of
	const [busy, run] = useBusy()
	const list = useLive(
		'seeders ' + repo.id,
		(s) => getRepo(path, '/seeders', { signal: s }),
		(e) => e.repo === repo.id || e.type.startsWith('peer.') || e.type === 'node.rates',
		3000,
	)
	return (
		<>
			<div class="columns">
				<Card
					title="Seeders"
					after={
						canWrite.value && (
							<button
								type="button"
								class="small"
								disabled={busy}
								onClick={() => run(actRepo('POST', path, '/sync'), 'Asking all seeders')}
							>
								Sync now
							</button>
						)
					}
				>
					<Loaded of={list}>
						{(all) =>
							all.length ? (
								<Table
									label="Seeders"
									rows={all}
									rowKey={(s) => s.id}
									columns={[
										{ name: 'Peer', cell: (s) => <PeerId id={s.id} /> },
										{
											name: 'State',
											cell: (s) => s.current ? (
													<Badge tone="ok">current</Badge>
												) : (
													<Badge tone="warn">{s.behind === null ? 'differs' : `${num(s.behind)} behind`}</Badge>
												),
										},
										{ name: 'Seen', cell: (s) => <Ago t={s.seen} /> },
									]}
								/>
							) : (
								<Empty>No connected peer keeps it.</Empty>
							)
						}
					</Loaded>
				</Card>
				<Card title="Policy of this node">
					<p>What this node does with this repository.</p>
					{canAdmin.value ? (
						<Select<Policy>
							label="Policy"
							value={repo.policy}
							options={[
								['default', "the node's default"],
								['seed', 'seed: always keep it'],
								['block', 'block: remove it and refuse it'],
							]}
							onChange={(p) => run(actRepo('PUT', path, '/policy', { policy: p }), 'Policy set')}
						/>
					) : (
						<>
							<p>
								<Badge>{repo.policy}</Badge>
							</p>
							<Needs scope="admin">{null}</Needs>
						</>
					)}
				</Card>
			</div>
			{!repo.private && canRead.value && <Providers key={repo.id} id={repo.id} />}
			<Card title="Identity">
				<Facts
					rows={[
						['Id', <code class="wrap">{repo.id}</code>],
						['Version', String(repo.identity_version)],
						['Object format', repo.object_format],
						['Made', <Ago t={repo.created_at} />],
						[
							'Delegates',
							<>
								{repo.threshold} of these sign what counts:{' '}
								{repo.delegates.map((d) => (
									<PeerId id={d} />
								))}
							</>,
						],
						['Status signers', repo.signers.length ? repo.signers.map((d) => <PeerId id={d} />) : 'only delegates'],
						[
							'Readers',
							!repo.private ? 'everybody' : repo.readers.length ? repo.readers.map((d) => <PeerId id={d} />) : 'only delegates',
						],
					]}
				/>
			</Card>
		</>
	)
}
