//! What a server's `RemoteIP*` lines come to: its own over the main server's, as mod_remoteip merges them.

use super::RemoteIp;
use super::draft::{Draft, RemoteIpDraft, ServerDraft};
use crate::diagnostic::Severity;

/// `None` where nothing of it is used.
pub(super) fn remote_ip(
    draft: &mut Draft,
    server: &ServerDraft,
    main: Option<&ServerDraft>,
) -> Option<RemoteIp> {
    let none = RemoteIpDraft::default();
    let (own, main) = (
        &server.remote_ip,
        main.map_or(&none, |main| &main.remote_ip),
    );
    let list = |own: bool| if own { &server.remote_ip } else { main };
    let remote_ip = RemoteIp {
        header: own
            .header
            .as_ref()
            .or(main.header.as_ref())
            .map(|(name, _)| name.clone()),
        proxies_header: own.proxies_header.clone().or(main.proxies_header.clone()),
        proxies: list(!own.proxies.is_empty()).proxies.clone(),
        proxy_protocol: own.proxy_protocol.or(main.proxy_protocol).unwrap_or(false),
        exceptions: list(!own.exceptions.is_empty()).exceptions.clone(),
    };
    if let Some((_, span)) = &own.header
        && remote_ip.proxies.is_empty()
    {
        let message =
            "RemoteIPHeader: everybody is believed, so that clients may choose their addresses";
        let hint = "RemoteIPInternalProxy with the addresses of your proxies";
        draft.report(Severity::Warning, *span, message.to_owned(), Some(hint));
    }
    (remote_ip.header.is_some() || remote_ip.proxy_protocol).then_some(remote_ip)
}
