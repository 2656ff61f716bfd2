// All webhooks of this node, those of repositories too, and the brokers that get its events.
import { Hooks } from '../hooks/page'
import { Needs } from '../parts'
import { href, route } from '../router'
import { Head } from '../ui'
import { Sinks } from './sinks'

export function NodeHooks() {
	const rest = route.value.parts.slice(1)
	return (
		<>
			<Head text="Webhooks" />
			<Needs scope="admin">
				<Hooks at={{ to: (...more) => href(['hooks', ...more.map(String)]) }} rest={rest} />
				{!rest.length && <Sinks />}
			</Needs>
		</>
	)
}
