// Bans: making one with its reason and its end, lifting it, and the list of them.
import { act, get } from '../api'
import { useLive } from '../live'
import { Field, fields, type FormEvent, useBusy } from '../parts'
import { canAdmin } from '../session'
import { Ago, PeerId, shortPeer, T } from '../text'
import { Card, Dialog, Empty, Loaded } from '../ui'

const TIMES = [
	['3600', 'one hour'],
	['86400', 'one day'],
	['604800', 'one week'],
	['2592000', '30 days'],
	['0', 'for ever'],
] as const

export const until = (time: string | null) => (time ? `until ${new Date(time).toLocaleString('en')}` : 'for ever')

export function Ban({ peer, onClose }: { peer: string | undefined; onClose(): void }) {
	const [busy, run] = useBusy()
	const submit = async (e: FormEvent) => {
		const f = fields(e)
		const id = peer || f.peer!.trim()
		const body = { reason: f.reason || 'banned by hand', seconds: Number(f.seconds) }
		if (await run(act('PUT', '/api/v1/peers/{peer}/ban', { path: { peer: id } }, body), 'Banned')) onClose()
	}
	return (
		<Dialog title="Ban a peer" open={peer !== undefined} onClose={onClose}>
			<form onSubmit={submit}>
				{peer ? (
					<p>
						The link to <code>{shortPeer(peer)}</code> is closed and the peer is refused.
					</p>
				) : (
					<Field label="Peer id" hint="It is refused, and a link to it is closed.">
						{(ids) => (
							<input {...ids} name="peer" class="mono" required minLength={46} maxLength={63} autocomplete="off" spellcheck={false} />
						)}
					</Field>
				)}
				<Field label="Reason">{(ids) => <input {...ids} name="reason" maxLength={200} placeholder="banned by hand" />}</Field>
				<Field label="For how long">
					{(ids) => (
						<select {...ids} name="seconds">
							{TIMES.map(([v, t]) => (
								<option value={v}>{t}</option>
							))}
						</select>
					)}
				</Field>
				<footer>
					<button type="button" onClick={onClose}>
						Cancel
					</button>
					<button class="danger" disabled={busy}>
						Ban
					</button>
				</footer>
			</form>
		</Dialog>
	)
}

export function Bans({ onBan }: { onBan(): void }) {
	const bans = useLive(
		'bans',
		(s) => get('/api/v1/bans', { signal: s }),
		(e) => e.type === 'peer.banned' || e.type === 'peer.lifted' || e.type === 'node.rates',
		2000,
	)
	const [busy, run] = useBusy()
	return (
		<Card
			title="Bans"
			after={
				canAdmin.value && (
					<button type="button" class="small" onClick={onBan}>
						Ban a peer…
					</button>
				)
			}
		>
			<Loaded of={bans}>
				{(list) =>
					list.length ? (
						<ul class="rows">
							{list.map((b) => (
								<li key={b.peer}>
									<span class="grow">
										<PeerId id={b.peer} /> <T class="sub" s={b.reason} />
										<span class="sub">
											<Ago t={b.since} />, {until(b.until)}
										</span>
									</span>
									{canAdmin.value && (
										<button
											type="button"
											class="small"
											disabled={busy}
											aria-label={`Lift the ban of ${shortPeer(b.peer)}`}
											onClick={() => run(act('DELETE', '/api/v1/peers/{peer}/ban', { path: { peer: b.peer } }), 'Ban lifted')}
										>
											Lift
										</button>
									)}
								</li>
							))}
						</ul>
					) : (
						<Empty>Nobody is banned.</Empty>
					)
				}
			</Loaded>
		</Card>
	)
}
