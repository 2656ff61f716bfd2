// A token for a session cookie.
import { useEffect } from 'preact/hooks'
import { go } from '../router'
import { login, loginError, session } from '../session'
import { plain } from '../text'
import { Field, fields, type FormEvent, useBusy } from '../parts'
import { Card, Head } from '../ui'

export function Login() {
	const [busy, run] = useBusy()
	const inside = session.value?.kind === 'session'
	useEffect(() => {
		if (inside && location.hash.startsWith('#/login')) go('#/')
	}, [inside])
	const submit = (e: FormEvent) => run(login({ token: fields(e).token!.trim() }), 'Logged in')
	return (
		<>
			<Head text="Log in" />
			<Card class="narrow">
				{loginError.value && (
					<p class="notice bad" role="alert">
						{plain(loginError.value)}
					</p>
				)}
				<p>
					<code>guts dashboard</code> on the node's machine prints an address that logs this browser in once, within a minute.
				</p>
				<p>
					Or give a token: that of the administrator is in the file <code>admin-token</code> in the node's home.
				</p>
				<form onSubmit={submit}>
					<Field label="Token">
						{(ids) => <input {...ids} name="token" type="password" required maxLength={80} autocomplete="current-password" />}
					</Field>
					<footer>
						<button class="primary" disabled={busy}>
							Log in
						</button>
					</footer>
				</form>
			</Card>
		</>
	)
}
