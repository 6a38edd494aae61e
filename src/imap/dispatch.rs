//! From a command to its file, and what its outcome does to the session's state.
//!
//! Every command's future is boxed alone, so that a session that waits in IDLE pays for IDLE only.

use super::cmd::{
    append, authenticate, cancelupdate, capability, check, close, compress, copy, create, delete, enable, esearch,
    expunge, fetch, id, idle, list, login, logout, metadata, namespace, noop, notify, quota, rename, replace, search,
    select, sort, starttls, status, store, subscribe, thread, uidbatches, unauthenticate, unselect,
};
use super::command::Command;
use super::output::Output;
use super::progress::Ticker;
use super::reply::{Failure, Reply};
use super::session::{Session, Then};
use super::wire::Tag;

/// What the table rules out; said if it happens all the same.
const OUT_OF_STATE: Reply = Reply::bad("Not allowed in this state");

type Outcome = Result<(Reply, Then), Failure>;

impl Session {
    /// Runs a command that the table allows.
    pub(super) async fn dispatch(&mut self, tag: &Tag, command: Command) -> Outcome {
        let out = &mut Output::new(&mut self.connection, self.enabled);
        let reply = match command {
            Command::Capability => {
                let list = self.capabilities();
                capability::run(&list, &mut Output::new(&mut self.connection, self.enabled)).await?
            }
            Command::Noop => noop::run(),
            Command::Logout => return Ok((logout::run(out).await?, Then::End)),
            Command::Id(_) => id::run(self.account.is_some(), out).await?,
            Command::StartTls => {
                return Ok((starttls::run(&self.connection, self.context.tls.as_ref())?, Then::StartTls));
            }
            Command::Compress(algorithm) => {
                return Ok((compress::run(&self.connection, &self.admission, &algorithm)?, Then::Compress));
            }
            Command::Unauthenticate => return Ok((unauthenticate::run(&self.connection)?, Then::LogOut)),
            Command::Authenticate { .. } | Command::Login { .. } => self.authenticate(command).await?,
            other => match &self.account {
                Some(_) => Box::pin(self.dispatch_authenticated(tag, other)).await?,
                None => return Err(OUT_OF_STATE.into()),
            },
        };
        Ok((reply, Then::Continue))
    }

    async fn authenticate(&mut self, command: Command) -> Result<Reply, Failure> {
        let deadline = self.deadline();
        let (connection, context) = (&mut self.connection, &self.context);
        match command {
            Command::Login { user, password } => {
                let logged_in = Box::pin(login::run(connection, context, &user, &password.0)).await?;
                self.log_in(&logged_in, "Logged in")
            }
            Command::Authenticate { mechanism, initial } => {
                let run = authenticate::run(connection, context, deadline, &mechanism, initial);
                let logged_in = Box::pin(run).await?;
                self.log_in(&logged_in, "Authenticated")
            }
            _ => Err(OUT_OF_STATE.into()),
        }
    }

    /// Commands of the authenticated and the selected state.
    async fn dispatch_authenticated(&mut self, tag: &Tag, command: Command) -> Result<Reply, Failure> {
        if let Command::Enable(names) = &command {
            let metadata = names.iter().any(|name| name == "METADATA") && self.follow_metadata();
            let told = &mut self.told_enabled;
            return enable::run(names, metadata, told, &mut Output::new(&mut self.connection, self.enabled)).await;
        }
        if matches!(command, Command::Idle) && self.notify.is_some() {
            return Box::pin(self.idle_listening()).await;
        }
        let Some(account) = &self.account else { return Err(OUT_OF_STATE.into()) };
        let out = &mut Output::new(&mut self.connection, self.enabled);
        match command {
            Command::Namespace => namespace::run(out).await,
            Command::Select { mailbox, read_only, parameters } => {
                if parameters.qresync.is_some() && !self.enabled.qresync {
                    return Err(Reply::bad("QRESYNC must be enabled first").into());
                }
                // A SELECT that fails leaves no mailbox selected (RFC 3501 §6.3.1).
                if self.selected.take().is_some() {
                    // RFC 7162 §3.2.11: whatever comes behind it is about the other mailbox.
                    out.untagged("OK [CLOSED] The mailbox before is closed").await?;
                }
                let request = select::Request { name: &mailbox, read_only, resync: parameters.qresync.as_ref() };
                let limit = self.context.config.limits.messages_per_command;
                let (reply, mut selected) = Box::pin(select::run(account, out, request, self.enabled, limit)).await?;
                let known = selected.view.modseq();
                selected.listening = self.notify.as_ref().and_then(|notifier| notifier.listening(known));
                self.selected = Some(Box::new(selected));
                Ok(reply)
            }
            Command::Create { mailbox, uses } => Box::pin(create::run(account, out, &mailbox, &uses)).await,
            Command::Delete(name) => {
                let delete = delete::run(account, out, self.selected.as_deref(), &name);
                let (reply, was_selected) = Box::pin(delete).await?;
                if was_selected {
                    self.selected = None;
                }
                Ok(reply)
            }
            Command::Rename { from, to } => Box::pin(rename::run(account, out, &from, &to)).await,
            Command::Subscribe(name) => Box::pin(subscribe::run(account, &name, true)).await,
            Command::Unsubscribe(name) => Box::pin(subscribe::run(account, &name, false)).await,
            Command::List(request) => Box::pin(list::list(account, out, account.append_limit(), &request)).await,
            Command::Lsub { reference, pattern } => Box::pin(list::lsub(account, out, &reference, &pattern)).await,
            Command::Status { mailbox, items } => {
                status::run(account, out, account.append_limit(), &mailbox, &items).await
            }
            Command::GetMetadata { mailbox, entries, max_size, depth } => {
                let request = metadata::Request { mailbox: mailbox.as_deref(), entries: &entries, max_size, depth };
                Box::pin(metadata::get(account, out, &self.context.config, request)).await
            }
            Command::SetMetadata { mailbox, entries } => {
                let (reply, set) = Box::pin(metadata::set(account, mailbox.as_deref(), entries)).await?;
                if let Some(notifier) = self.notify.as_deref_mut() {
                    notifier.annotated(set);
                }
                Ok(reply)
            }
            Command::Notify(request) => {
                let selected = self.selected.as_deref_mut();
                Box::pin(notify::run(account, &mut self.notify, selected, out, request)).await
            }
            Command::Append { mailbox, message } => {
                let request = (mailbox.as_str(), message);
                let of = (account, self.selected.as_deref_mut());
                let append = append::run(&mut self.connection, &mut self.receiver, &self.context, of, request);
                Box::pin(append).await
            }
            Command::Replace { uid, set, mailbox, message } => {
                let Some(selected) = self.selected.as_deref_mut() else { return Err(OUT_OF_STATE.into()) };
                let request = replace::Request { uid, set: &set, mailbox: &mailbox, message };
                let of = (account, selected);
                Box::pin(replace::run(&mut self.connection, &mut self.receiver, &self.context, of, request)).await
            }
            Command::MultiSearch { sources, returns, fetch, charset: _, keys } => {
                let request = esearch::Request { sources, returns, fetch, keys };
                let ticker = Ticker::new(tag, self.context.config.limits.imap_progress);
                let out = &mut Output::new(&mut self.connection, self.enabled).reporting(ticker);
                Box::pin(esearch::run(account, self.selected.as_deref_mut(), out, tag, request)).await
            }
            Command::GetQuota(root) => quota::get(account, out, &root).await,
            Command::GetQuotaRoot(mailbox) => quota::get_root(account, out, &mailbox).await,
            Command::SetQuota { root, limits } => {
                let allowed = self.context.config.quota.users_may_set;
                Box::pin(quota::set(account, out, allowed, &root, &limits)).await
            }
            Command::Idle => {
                let patience = self.context.config.limits.imap_idle;
                let selected = self.selected.as_deref_mut().map(|selected| {
                    let watch = account.watch(selected.mailbox.id());
                    (selected, watch)
                });
                Box::pin(idle::run(&mut self.connection, selected, patience, &self.ending)).await
            }
            other => Box::pin(self.dispatch_selected(tag, other)).await,
        }
    }

    /// Commands of the selected state.
    async fn dispatch_selected(&mut self, tag: &Tag, command: Command) -> Result<Reply, Failure> {
        let Some(selected) = self.selected.as_deref_mut() else { return Err(OUT_OF_STATE.into()) };
        let ticker = Ticker::new(tag, self.context.config.limits.imap_progress);
        let out = &mut Output::new(&mut self.connection, self.enabled).reporting(ticker);
        match command {
            Command::Check => Ok(check::run()),
            Command::Close => {
                let reply = Box::pin(close::run(selected)).await;
                self.selected = None;
                Ok(reply)
            }
            Command::Unselect => {
                self.selected = None;
                Ok(unselect::run())
            }
            Command::Expunge { uids } => Box::pin(expunge::run(selected, out, uids.as_ref())).await,
            Command::Search { uid, returns, fetch, charset: _, keys } => {
                Box::pin(search::run(selected, out, tag, search::Request { uid, returns, fetch, keys })).await
            }
            Command::Sort { uid, returns, criteria, charset: _, keys } => {
                Box::pin(sort::run(selected, out, tag, sort::Request { uid, returns, criteria, keys })).await
            }
            Command::Thread { uid, algorithm, charset: _, keys } => {
                Box::pin(thread::run(selected, out, thread::Request { uid, algorithm, keys })).await
            }
            Command::CancelUpdate(tags) => Ok(cancelupdate::run(selected, &tags)),
            Command::UidBatches { size, range } => uidbatches::run(selected, out, tag, size, range).await,
            Command::Fetch { uid, set, items, modifiers } => {
                let request = fetch::Request { uid, set: &set, items, modifiers };
                Box::pin(fetch::run(selected, out, request)).await
            }
            Command::Store { uid, set, unchanged_since, operation, silent, flags } => {
                let request = store::Request { uid, set: &set, unchanged_since, operation, silent, flags: &flags };
                Box::pin(store::run(selected, out, request)).await
            }
            Command::Copy { uid, set, mailbox } => Box::pin(copy::copy(selected, out, uid, &set, &mailbox)).await,
            Command::Move { uid, set, mailbox } => Box::pin(copy::r#move(selected, out, uid, &set, &mailbox)).await,
            _ => Err(OUT_OF_STATE.into()),
        }
    }

    /// Answers a command that the table rules out. A message that comes with it is swallowed.
    pub(super) async fn skip(&mut self, command: Command, reply: Reply) -> Outcome {
        if let Command::Append { message, .. } | Command::Replace { message, .. } = command {
            let deadline = self.deadline();
            let (connection, receiver) = (&mut self.connection, &mut self.receiver);
            append::refuse(connection, receiver, &self.context, message.literal, deadline).await?;
        }
        Err(reply.into())
    }
}
