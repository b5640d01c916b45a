/** Variables of the process that are not ours: what the tools of a store's maker read, such as `HF_TOKEN`. */
export type Variables = Readonly<Record<string, string | undefined>>;
