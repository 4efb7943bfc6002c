//! AES-CBC of the mini-program side. The cipher is aws-lc-rs's, the padding is ours: WeChat pads message pushes to 32
//! bytes, which every ordinary unpadder takes for a fault, and open data to 16 (spec 1.8).

use aws_lc_rs::{
    cipher::{
        AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext,
        UnboundCipherKey,
    },
    iv::FixedLength,
};

/// Bytes of an initialisation vector, and of a block.
pub(super) const BLOCK: usize = 16;

fn key(bytes: &[u8]) -> Option<UnboundCipherKey> {
    let algorithm = match bytes.len() {
        16 => &AES_128,
        32 => &AES_256,
        _ => return None,
    };
    UnboundCipherKey::new(algorithm, bytes).ok()
}

/// Opens `sealed` and takes off a PKCS#7 padding of at most `pad_to` bytes; `None` for anything out of form.
pub(super) fn open(
    key_bytes: &[u8],
    iv: &[u8; BLOCK],
    mut sealed: Vec<u8>,
    pad_to: usize,
) -> Option<Vec<u8>> {
    if sealed.is_empty() || !sealed.len().is_multiple_of(BLOCK) {
        return None;
    }
    let key = DecryptingKey::cbc(key(key_bytes)?).ok()?;
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let plain = key.decrypt(&mut sealed, context).ok()?;
    let padding = usize::from(*plain.last()?);
    let kept = plain.len().checked_sub(padding)?;
    let (plain, tail) = plain.split_at_checked(kept)?;
    let sound =
        (1..=pad_to).contains(&padding) && tail.iter().all(|byte| usize::from(*byte) == padding);
    sound.then(|| plain.to_vec())
}

/// Pads `plain` to a multiple of `pad_to` and seals it.
pub(super) fn seal(
    key_bytes: &[u8],
    iv: &[u8; BLOCK],
    mut plain: Vec<u8>,
    pad_to: u8,
) -> Option<Vec<u8>> {
    let block = usize::from(pad_to);
    let over = plain.len().checked_rem(block)?;
    let padding = pad_to.checked_sub(u8::try_from(over).ok()?)?;
    plain.extend(std::iter::repeat_n(padding, usize::from(padding)));
    let key = EncryptingKey::cbc(key(key_bytes)?).ok()?;
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(&mut plain, context).ok()?;
    Some(plain)
}
