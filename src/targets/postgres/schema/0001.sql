-- Everything here is rosterd's own; whoever reads it is granted `select` and no more.

create table directory_users (
  directory text not null,
  id uuid primary key,
  idp_id text not null,
  external_id text,
  user_name text,
  email text,
  email_lower text generated always as (lower(email)) stored,
  given_name text,
  family_name text,
  display_name text,
  active boolean not null,
  deleted_at timestamptz,
  attributes jsonb not null default '{}',
  raw jsonb not null default '{}',
  first_seen timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  seq bigint not null,
  unique (directory, idp_id)
);
create index directory_users_email on directory_users (email_lower);

create table directory_groups (
  directory text not null,
  id uuid primary key,
  idp_id text not null,
  external_id text not null,
  name text not null,
  -- The portals it is pushed to.
  portals text[] not null,
  deleted_at timestamptz,
  updated_at timestamptz not null default now(),
  seq bigint not null,
  unique (directory, idp_id)
);

create table directory_memberships (
  group_id uuid not null references directory_groups,
  user_id uuid not null references directory_users,
  since timestamptz not null default now(),
  direct boolean not null,
  -- The portals it is pushed to.
  portals text[] not null,
  seq bigint not null,
  primary key (group_id, user_id)
);
create index directory_memberships_user on directory_memberships (user_id);

create table portal_accounts (
  portal text not null,
  user_id uuid not null references directory_users,
  key text not null,
  state text not null check (state in ('active', 'disabled', 'removed')),
  role text,
  user_name text,
  email text,
  display_name text,
  given_name text,
  family_name text,
  attributes jsonb not null default '{}',
  metadata jsonb not null default '{}',
  reason text not null,
  updated_at timestamptz not null default now(),
  seq bigint not null,
  primary key (portal, user_id)
);
-- One account a key; a removed one keeps its key and is in nobody's way.
create unique index portal_accounts_key on portal_accounts (portal, key) where state <> 'removed';
create index portal_accounts_user on portal_accounts (user_id);

create table directory_events (
  seq bigint primary key,
  id text not null unique,
  at timestamptz not null default now(),
  type text not null,
  directory text not null,
  object_id uuid,
  payload jsonb not null
);

-- One row, locked by whoever numbers events: numbers become visible in their order.
create table rosterd_counter (
  single boolean primary key default true check (single),
  seq bigint not null
);
insert into rosterd_counter (seq) values (0);

create view active_accounts as
select a.portal, a.key, a.user_id, u.directory, u.idp_id, u.external_id, a.user_name, a.email,
       a.display_name, a.given_name, a.family_name, a.role, a.attributes, a.metadata,
       a.updated_at, a.seq
from portal_accounts a join directory_users u on u.id = a.user_id
where a.state = 'active';
