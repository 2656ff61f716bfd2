// The pages of webhooks: of the node, or as a tab of a repository.
import { HookPage } from './hook'
import { HookList, type Place } from './list'

// `rest`: [hook [, delivery]]
export const Hooks = ({ at, rest }: { at: Place; rest: string[] }) =>
	rest[0] ? <HookPage key={rest[0]} at={at} id={rest[0]} delivery={rest[1]} /> : <HookList at={at} />
