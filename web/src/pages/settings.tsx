// How this node is configured, who may do what with it, and how this page looks.
import { useState } from 'preact/hooks'
import { act, get } from '../api'
import { Config } from '../config'
import { useLive } from '../live'
import { keysOn, setKeys, setTheme, theme, type Theme } from '../prefs'
import { canAdmin, logout, session } from '../session'
import { Ago, Copy, plain, T } from '../text'
import { Field, fields, type FormEvent, Needs, Select, useBusy } from '../parts'
import { attempt, Badge, Card, Dialog, Empty, Facts, Head, Loaded } from '../ui'

const SCOPES = ['read', 'write', 'ci', 'admin'] as const

function NewToken({ onDone }: { onDone(): void }) {
	const [busy, run] = useBusy()
	const [secret, setSecret] = useState('')
	const submit = async (e: FormEvent) => {
		const f = fields(e)
		const body = {
			name: f.name,
			scopes: SCOPES.filter((s) => f[s] === 'on'),
			expires_in: Number(f.days) ? Number(f.days) * 86400 : undefined,
		}
		await run(
			act<{ token: string }>('POST', '/api/v1/tokens', {}, body).then((t) => setSecret(t.token)),
			'Token created',
		)
	}
	if (secret)
		return (
			<>
				<p>Copy it now: it is not shown again.</p>
				<p class="id">
					<code class="wrap">{secret}</code>
					<Copy text={secret} what="token" />
				</p>
				<footer>
					<button type="button" class="primary" onClick={onDone}>
						Done
					</button>
				</footer>
			</>
		)
	return (
		<form onSubmit={submit}>
			<Field label="Name">{(ids) => <input {...ids} name="name" required maxLength={100} />}</Field>
			<fieldset>
				<legend>Rights</legend>
				{SCOPES.map((s) => (
					<label class="check">
						<input type="checkbox" name={s} defaultChecked={s === 'read'} /> {s}
					</label>
				))}
			</fieldset>
			<Field label="Expires after days" hint="Empty: never">
				{(ids) => <input {...ids} name="days" type="number" min={1} max={36500} />}
			</Field>
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

function Tokens() {
	const tokens = useLive(
		'tokens',
		(s) => get('/api/v1/tokens', { signal: s }),
		(e) => e.type.startsWith('token.'),
	)
	const [making, setMaking] = useState(false)
	const [busy, run] = useBusy()
	const done = () => {
		setMaking(false)
		tokens.reload()
	}
	return (
		<>
			<Loaded of={tokens}>
				{(list) =>
					list.length ? (
						<ul class="rows">
							{list.map((t) => (
								<li key={t.id}>
									<span class="grow">
										<T class="strong" s={t.name} />{' '}
										{t.scopes.map((s) => (
											<Badge tone={s === 'admin' ? 'warn' : 'info'}>{s}</Badge>
										))}
										<span class="sub">
											made <Ago t={t.created_at} />
											{t.expires_at ? <>, expires {new Date(t.expires_at).toLocaleString('en')}</> : ', does not expire'}
										</span>
									</span>
									<button
										type="button"
										class="small"
										disabled={busy}
										aria-label={`Revoke ${plain(t.name)}`}
										onClick={() =>
											run(act('DELETE', '/api/v1/tokens/{token}', { path: { token: t.id } }).then(tokens.reload), 'Revoked')
										}
									>
										Revoke
									</button>
								</li>
							))}
						</ul>
					) : (
						<Empty>No token.</Empty>
					)
				}
			</Loaded>
			<p>
				<button type="button" onClick={() => setMaking(true)}>
					New token…
				</button>
			</p>
			<Dialog title="New token" open={making} onClose={done}>
				<NewToken onDone={done} />
			</Dialog>
		</>
	)
}

export function Settings() {
	const s = session.value
	return (
		<>
			<Head text="Settings" />
			<div class="columns">
				<Card title="This browser">
					<div class="field">
						<span>Colours</span>
						<Select<Theme>
							label="Colours"
							value={theme.value}
							options={[
								['auto', 'as the system'],
								['light', 'light'],
								['dark', 'dark'],
							]}
							onChange={setTheme}
						/>
					</div>
					<label class="check">
						<input type="checkbox" checked={keysOn.value} onChange={(e) => setKeys(e.currentTarget.checked)} />
						<span>
							Keyboard shortcuts (press <kbd>?</kbd> for a list)
						</span>
					</label>
				</Card>
				<Card title="Session">
					<Facts
						rows={[
							['Logged in', s?.kind === 'session' ? 'yes' : 'no'],
							['Rights', s?.scopes.length ? s.scopes.map((x) => <Badge tone="info">{x}</Badge>) : 'what is public'],
						]}
					/>
					<p>
						{s?.kind === 'session' ? (
							<button type="button" onClick={() => attempt(logout(), 'Logged out')}>
								Log out
							</button>
						) : (
							<a class="button" href="#/login">
								Log in
							</a>
						)}
					</p>
				</Card>
			</div>
			<Card title="Access tokens">
				<Needs scope="admin">{canAdmin.value && <Tokens />}</Needs>
			</Card>
			<Card title="Configuration">
				<Needs scope="admin">{canAdmin.value && <Config />}</Needs>
			</Card>
		</>
	)
}
