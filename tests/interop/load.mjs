// import() as seen from here: how programs in other folders reach the packages of this one.
export const load = (name) => import(name)
