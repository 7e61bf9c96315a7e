//! The variables and functions of expressions.

use serde::{Deserialize, Serialize};

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are httpd's")]
pub enum Name {
    /// `HTTP_HOST` and the few others.
    Header(Header),
    RequestMethod,
    RequestScheme,
    /// The path, decoded, without the query.
    RequestUri,
    /// `REQUEST_FILENAME`, `SCRIPT_FILENAME`.
    RequestFilename,
    RequestStatus,
    RequestLogId,
    RemoteAddress,
    RemotePort,
    RemoteUser,
    ServerAddress,
    ServerAdmin,
    ServerName,
    ServerPort,
    ServerProtocol,
    ServerSoftware,
    /// The request line as it came.
    TheRequest,
    PathInfo,
    QueryString,
    DocumentRoot,
    AuthType,
    ContentType,
    /// What answers: `default-handler`, `wsgi-script`, ...
    Handler,
    LastModified,
    /// `on` or `off`.
    Https,
    Ipv6,
    IsSubrequest,
    ApiVersion,
    Time(Moment),
    /// `SSL_*`.
    Tls(String),
    /// Known to httpd and always empty here: `REMOTE_IDENT`, `CONTEXT_PREFIX`.
    Empty,
}

/// A header field with a variable of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Header {
    Accept,
    Cookie,
    Forwarded,
    Host,
    ProxyConnection,
    Referer,
    UserAgent,
}

/// A part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Moment {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// 0 is Sunday.
    Weekday,
    /// `20261124204450`.
    All,
}

/// A function of one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are httpd's")]
pub enum Function {
    /// `req`, `http`, `req_novary`: a header field of the request.
    RequestHeader,
    /// `resp`: of the response.
    ResponseHeader,
    /// `reqenv`: a variable of the request's environment.
    RequestVariable,
    /// `osenv`: of the server's.
    ServerVariable,
    /// `env`: of the request's, else of the server's.
    Variable,
    /// `note`: nothing here makes notes.
    Note,
    ToLower,
    ToUpper,
    Escape,
    Unescape,
    Base64,
    Unbase64,
    Md5,
    Sha1,
    /// `file`: its content.
    File,
    FileSize,
    FileModified,
}

impl Header {
    /// The field's name.
    pub fn field(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Cookie => "cookie",
            Self::Forwarded => "forwarded",
            Self::Host => "host",
            Self::ProxyConnection => "proxy-connection",
            Self::Referer => "referer",
            Self::UserAgent => "user-agent",
        }
    }
}

impl Name {
    /// The variable with a name; names are case-insensitive.
    pub fn find(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        Some(match upper.as_str() {
            "HTTP_ACCEPT" => Self::Header(Header::Accept),
            "HTTP_COOKIE" => Self::Header(Header::Cookie),
            "HTTP_FORWARDED" => Self::Header(Header::Forwarded),
            "HTTP_HOST" => Self::Header(Header::Host),
            "HTTP_PROXY_CONNECTION" => Self::Header(Header::ProxyConnection),
            "HTTP_REFERER" => Self::Header(Header::Referer),
            "HTTP_USER_AGENT" => Self::Header(Header::UserAgent),
            "REQUEST_METHOD" => Self::RequestMethod,
            "REQUEST_SCHEME" => Self::RequestScheme,
            "REQUEST_URI" | "DOCUMENT_URI" => Self::RequestUri,
            "REQUEST_FILENAME" | "SCRIPT_FILENAME" => Self::RequestFilename,
            "REQUEST_STATUS" => Self::RequestStatus,
            "REQUEST_LOG_ID" => Self::RequestLogId,
            // Names are never looked up, so the host is the address, as with HostnameLookups Off.
            "REMOTE_ADDR" | "REMOTE_HOST" | "CONN_REMOTE_ADDR" => Self::RemoteAddress,
            "REMOTE_PORT" => Self::RemotePort,
            "REMOTE_USER" => Self::RemoteUser,
            "SERVER_ADDR" => Self::ServerAddress,
            "SERVER_ADMIN" => Self::ServerAdmin,
            "SERVER_NAME" => Self::ServerName,
            "SERVER_PORT" => Self::ServerPort,
            "SERVER_PROTOCOL" => Self::ServerProtocol,
            "SERVER_SOFTWARE" => Self::ServerSoftware,
            "THE_REQUEST" => Self::TheRequest,
            "PATH_INFO" => Self::PathInfo,
            "QUERY_STRING" => Self::QueryString,
            "DOCUMENT_ROOT" => Self::DocumentRoot,
            "AUTH_TYPE" => Self::AuthType,
            "CONTENT_TYPE" => Self::ContentType,
            "HANDLER" => Self::Handler,
            "LAST_MODIFIED" => Self::LastModified,
            "HTTPS" => Self::Https,
            "IPV6" => Self::Ipv6,
            "IS_SUBREQ" => Self::IsSubrequest,
            "API_VERSION" => Self::ApiVersion,
            "TIME_YEAR" => Self::Time(Moment::Year),
            "TIME_MON" => Self::Time(Moment::Month),
            "TIME_DAY" => Self::Time(Moment::Day),
            "TIME_HOUR" => Self::Time(Moment::Hour),
            "TIME_MIN" => Self::Time(Moment::Minute),
            "TIME_SEC" => Self::Time(Moment::Second),
            "TIME_WDAY" => Self::Time(Moment::Weekday),
            "TIME" => Self::Time(Moment::All),
            "REMOTE_IDENT"
            | "SCRIPT_USER"
            | "SCRIPT_GROUP"
            | "CONTEXT_PREFIX"
            | "CONTEXT_DOCUMENT_ROOT"
            | "CONN_LOG_ID" => Self::Empty,
            _ if upper.starts_with("SSL_") => Self::Tls(upper),
            _ => return None,
        })
    }
}

impl Function {
    /// The function with a name; names are case-insensitive.
    pub fn find(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "req" | "http" | "req_novary" => Self::RequestHeader,
            "resp" => Self::ResponseHeader,
            "reqenv" => Self::RequestVariable,
            "osenv" => Self::ServerVariable,
            "env" => Self::Variable,
            "note" => Self::Note,
            "tolower" => Self::ToLower,
            "toupper" => Self::ToUpper,
            "escape" => Self::Escape,
            "unescape" => Self::Unescape,
            "base64" => Self::Base64,
            "unbase64" => Self::Unbase64,
            "md5" => Self::Md5,
            "sha1" => Self::Sha1,
            "file" => Self::File,
            "filesize" => Self::FileSize,
            "filemod" => Self::FileModified,
            _ => return None,
        })
    }
}
