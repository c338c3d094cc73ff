//! The certificate that HTTPS is served with.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;

#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error(
        "the {what} {file} cannot be used: {why}; 'server.tls' names PEM files that rosterd may read"
    )]
    File {
        what: &'static str,
        file: PathBuf,
        why: String,
    },
    #[error("the key {key} does not go with the certificate {cert}: {cause}")]
    Pair {
        cert: PathBuf,
        key: PathBuf,
        #[source]
        cause: rustls::Error,
    },
}

/// Reads the certificate and its key.
pub fn load(settings: &Tls) -> Result<Arc<ServerConfig>, CertificateError> {
    let Tls { cert, key } = settings;
    let unusable = |what, file: &PathBuf, why: String| CertificateError::File {
        what,
        file: file.clone(),
        why,
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|cause| unusable("certificate", cert, cause.to_string()))?;
    if chain.is_empty() {
        return Err(unusable("certificate", cert, "it holds none".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|cause| unusable("key", key, cause.to_string()))?;
    let pair = |cause| CertificateError::Pair {
        cert: cert.clone(),
        key: key.clone(),
        cause,
    };
    // Named, and not the process's default: a library may have set another.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
